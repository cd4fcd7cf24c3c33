/** The add-on for logs: the viewer, and the archive where an earlier version has begun one. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { LocalInstance } from '../../../../src/apps/host/addons/local/local-service.ts';
import { papertrailService } from '../../../../src/apps/host/addons/services/papertrail.ts';

function instanceForTest(): LocalInstance {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-addon-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const plan = { name: 'local', description: '', state: 'public' };
  return {
    id: '1',
    name: 'papertrail-1',
    port: 28_000,
    password: 'f'.repeat(36),
    number: 1,
    folder,
    plan,
  } as never;
}

it('a new one is the viewer: its page has the key, its drain a token of its own, and no password is in its command', async () => {
  const instance = instanceForTest();
  const { files, command, page, facts, logDrainUrl } = papertrailService;
  expect(Object.keys(files(instance))).toEqual(['viewer.env']);
  expect(await command(instance)).toMatch(/viewer\.env.*bundle\/viewer\.js/);
  expect(await command(instance)).not.toContain(instance.password);
  expect(page?.(instance)).toEqual({ port: 28_000, key: instance.password });
  expect(facts(instance)).toMatchObject({ token: instance.password });
  const drain = new URL(logDrainUrl?.(instance) ?? '');
  expect([drain.username, drain.pathname, drain.search]).toEqual(['token', '/logs', '?stream={app}']);
  expect(drain.password).toMatch(/^t\.[0-9a-f]{32}$/);
  expect(drain.password).not.toContain(instance.password);
});

it('one that has files of the archive goes on with it, at its address, without a page', async () => {
  const instance = instanceForTest();
  mkdirSync(join(instance.folder, 'lines'));
  const { files, command, page, logDrainUrl, info } = papertrailService;
  expect(Object.keys(files(instance))).toEqual(['archive.env']);
  expect(await command(instance)).toMatch(/archive\.env.*drains\/archive\/main\.js/);
  expect(page?.(instance)).toBeUndefined();
  expect(logDrainUrl?.(instance)).toBe(`http://drain:${instance.password}@localhost:28000/`);
  expect(await info?.(instance)).toContainEqual({ name: 'Files', values: ['0'] });
});
