/** Releases are made one after the other, and what one of them needs isn't taken away by another. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ReleasePhases } from '../../../../src/apps/host/release/release-phases.ts';
import { Releaser } from '../../../../src/apps/host/release/releaser.ts';
import { AppRegistry } from '../../../../src/apps/records/app-registry.ts';
import { Releases } from '../../../../src/apps/records/release-history.ts';
import { type SlugRecord, slugRecordKey } from '../../../../src/apps/records/slug-record.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';

const NOT_YET = (): void => {};

/** An app whose dynos nobody starts. */
async function appWithReleaser() {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-releaser-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  const store = new EmbeddedStore({ folder, retention, durability: 'process' });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const appRegistry = new AppRegistry(store);
  const releases = new Releases(store);
  const app = await appRegistry.createApp('shop');
  await releases.createInitial(app.id, app.createdAt);
  const files = new Set<string>();
  const running = new Set<string>();
  /** Runs instead of a release command. */
  const phase = { run: async (_say: (line: string) => void) => 0 };
  const releasePhases: Pick<ReleasePhases, 'run'> = { run: ({ onLine }) => phase.run(onLine) };
  const releaser = new Releaser({
    store,
    appRegistry,
    releases,
    dynoManager: {
      slugFiles: { has: (id) => files.has(id), remove: async (id) => void files.delete(id) },
      runningSlugs: () => running,
      releasePhases,
      isLocalApp: () => false,
      requireStaying: () => {},
      deployRelease: async () => {},
    },
    server: () => 'this server',
    logToApp: () => {},
    owner: 'me',
    log: SILENT_LOG,
  });
  /** A slug that was built, and isn't released. */
  const slug = async (id: string, processTypes: Record<string, string> = { web: 'x' }) => {
    files.add(id);
    const record: SlugRecord = { id, processTypes, byteCount: 1, commit: '', buildpack: '', createdAt: '' };
    await store.transact(app.id, [{ key: slugRecordKey(id), value: record }]);
  };
  const release = (id: string) => releaser.release(app, () => ({ description: `Deploy ${id}`, slug: id }));
  const deploy = async (id: string, processTypes?: Record<string, string>) => {
    await slug(id, processTypes);
    return release(id);
  };
  return { app, deploy, files, phase, release, releaser, releases, running, slug };
}

it('what a release command says is there as soon as its release can be seen, and to its end', async () => {
  const { app, deploy, phase, releaser, releases } = await appWithReleaser();
  let goOn = NOT_YET;
  phase.run = async (say) => {
    say('migrating');
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    say('done');
    return 0;
  };
  const finish = releases.finish.bind(releases);
  /** A reader that comes now, as the API reads. */
  const read = async (): Promise<string> => {
    const [, release] = await releases.list(app.id);
    const live = releaser.output(release.output ?? '');
    if (!live) return (await releases.output(app.id, 2)) ?? 'no longer kept';
    const lines: string[] = [];
    for await (const line of live) lines.push(line);
    return lines.join('');
  };
  const add = releases.add.bind(releases);
  let atFirst: Promise<string> | undefined;
  let atLast: Promise<string> | undefined;
  releases.add = async (...args) => {
    const release = await add(...args);
    // It is in the store, and whoever has made it doesn't know yet.
    atFirst = read();
    await new Promise(setImmediate);
    return release;
  };
  releases.finish = async (...args) => {
    const isFinished = await finish(...args);
    atLast = read();
    await new Promise(setImmediate);
    return isFinished;
  };
  const made = deploy('one', { web: 'x', release: 'y' });
  await expect.poll(() => goOn).not.toBe(NOT_YET);
  const between = read();
  goOn();
  await made;
  const all = [await atFirst, await between, await atLast, await read()];
  expect(all).toEqual(Array(4).fill('migrating\ndone\n'));
});

it('a rollback has its slug, or is refused, whatever is deployed before it', async () => {
  const { app, deploy, files, release, releaser, releases, slug } = await appWithReleaser();
  for (let i = 1; i <= 20; i++) await deploy(`slug-${i}`);
  const first = await releases.get(app.id, 'v2');
  await slug('slug-21');
  const [deployed, back] = await Promise.allSettled([release('slug-21'), releaser.rollBack(app, first)]);
  expect(deployed.status).toBe('fulfilled');
  expect(back).toMatchObject({ reason: { message: expect.stringMatching(/^This slug is no longer kept/) } });
  const second = await releases.get(app.id, 'v3');
  await slug('slug-22');
  await Promise.all([releaser.rollBack(app, second), release('slug-22')]);
  await releaser.ended();
  expect((await releases.current(app.id)).slug).toBe('slug-22');
  expect([...files].sort()).not.toContain('slug-1');
  expect([...files]).toContain('slug-2');
});

it('what is about to be released, and what runs, keeps its slug while others are deployed', async () => {
  const { deploy, files, release, releaser, running, slug } = await appWithReleaser();
  await deploy('serves');
  running.add('serves');
  await slug('promoted');
  for (let i = 1; i <= 21; i++) await deploy(`stuck-${i}`);
  await releaser.ended();
  expect([...files]).toEqual(expect.arrayContaining(['serves', 'promoted', 'stuck-21']));
  expect(files.size).toBe(22);
  expect((await release('promoted')).slug).toBe('promoted');
});

it('slugs of releases that failed are deleted too, and never the one that runs', async () => {
  const { deploy, files, phase, releaser } = await appWithReleaser();
  await deploy('good');
  phase.run = async () => 1;
  for (let i = 1; i <= 30; i++)
    await expect(deploy(`bad-${i}`, { web: 'x', release: 'y' })).rejects.toThrow(/release command failed/);
  await releaser.ended();
  expect(files.has('good')).toBe(true);
  expect(files.size).toBe(21);
});
