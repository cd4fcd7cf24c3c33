/** What the next server finds out while the one before still serves. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkStart } from '../../../src/cli/server/restart/check-start.ts';
import { readSettings } from '../../../src/common/config/settings.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';

it('a certificate that is broken, and a data folder that can’t be written to, are errors; a good start leaves nothing behind', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tailrace-check-'));
  onTestFinished(() => rmSync(data, { recursive: true }));
  const defaults = { data, allowPrivateDrains: 'no' as const, dynoMemory: '512MB', dynoHandoverMs: '60s' };
  const check = (env: Record<string, string>) => checkStart(readSettings(env, defaults), SILENT_LOG);
  await check({});
  expect(readdirSync(data)).toEqual([]);
  const [certificate, key] = ['cert.pem', 'key.pem'].map((name) => join(data, name));
  for (const file of [certificate, key]) writeFileSync(file, 'broken');
  await expect(check({ TAILRACE_TLS_CERT: certificate, TAILRACE_TLS_KEY: key })).rejects.toThrow(
    /TAILRACE_TLS_/,
  );
  await expect(
    check({ TAILRACE_SYSLOG_TLS_CERT: certificate, TAILRACE_SYSLOG_TLS_KEY: key }),
  ).rejects.toThrow(/TAILRACE_SYSLOG_TLS_/);
  await expect(check({ TAILRACE_DATA: '/proc/self' })).rejects.toThrow(/can't be written to .* has space/);
});
