/** Lines of many apps that go to the store together: nothing is lost, and each app's keep their order, whichever way they take. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogRouter } from '../../../src/logs/router/log-router.ts';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import { atTurnEnd } from '../../../src/logs/router/turn-end.ts';
import type { AppId, GatheredLines, Store } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { HEADROOM } from '../../../src/logs/syslog/batch.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { batchOf, linesOf, newAppId } from '../../support/batches.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { until } from '../../support/until.ts';
import { readAll } from '../store/conformance/streams.ts';

const APPS = 120;
const ROUNDS = 12;
const HOST = Buffer.from('h');
const ROOMY = { lines: 1e9, bytes: 1e9, ageMs: 1e9 };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  // Other tests of this process begin where few apps have lines.
  await new Promise<void>((resolve) => atTurnEnd(resolve, true));
});

interface Rig {
  readonly folder: string;
  readonly store: EmbeddedStore;
  readonly router: LogRouter;
  readonly apps: AppId[];
  /** By app: what was sent, in order. */
  readonly sent: Map<AppId, string[]>;
  /** Lines that the store was given together. */
  gathered: number;
  failed: number;
}

function open(durability: 'process' | 'disk' = 'process', commitFileBytes?: number): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-gatherer-'));
  const store = new EmbeddedStore({ folder, retention: ROOMY, durability, commitFileBytes });
  const apps = Array.from({ length: APPS }, newAppId);
  const observed: Store = new Proxy(store, {
    get: (target, name) => {
      if (name !== 'appendGathered') {
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (lines: GatheredLines): void => {
        target.appendGathered(lines);
        for (const { isTaken, count } of lines.batches) if (isTaken) rig.gathered += count;
      };
    },
  });
  const router = new LogRouter(observed, {
    pendingBytesMax: 1e9,
    onAppendFailed: () => {
      rig.failed++;
    },
  });
  const sent = new Map(apps.map((app) => [app, [] as string[]]));
  const rig: Rig = { folder, store, router, apps, sent, gathered: 0, failed: 0 };
  closers.push(async () => {
    await router.close(5_000);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return rig;
}

/** A line of an app, as a record of the fast path or as a line that is read. */
function send({ router, sent }: Rig, app: AppId, isRecord: boolean): void {
  const texts = sent.get(app)!;
  const text = `line ${texts.length}`;
  texts.push(text);
  const batcher = router.batcher(app);
  if (isRecord) batcher.addRecords(batchOf(text).bytes.subarray(HEADROOM), 1);
  else {
    const line = Buffer.from(`<13>1 2012-12-10T03:00:48Z h t.x web.1 - - ${text}`);
    const source: LogSource = {
      token: 't.x',
      tokenBytes: Buffer.from('t.x'),
      app,
      source: 'app',
      sourceBytes: HOST,
    };
    const header = new SyslogHeader();
    scanHeader(line, 0, line.length, header);
    batcher.add(line, 0, line.length, header, source, HOST);
  }
  batcher.flushInBackground();
}

/** All apps have lines, mostly records. @param between called after each round */
async function sendRounds(rig: Rig, between: (round: number) => void = () => {}): Promise<void> {
  const random = seededRandom(7);
  for (let round = 0; round < ROUNDS; round++) {
    for (const app of rig.apps)
      for (let left = 1 + Math.floor(random() * 3); left > 0; left--) send(rig, app, random() > 0.1);
    between(round);
    if (round % 4 === 0) await stored(rig);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

const stored = ({ router, apps }: Rig): Promise<unknown> =>
  until('all is stored', () => apps.every((app) => router.batcher(app).idle));

const messagesOf = async (store: Store, app: AppId): Promise<string[]> =>
  linesOf(await readAll(store, app)).map((line) => line.slice(line.indexOf('line ')));

async function expectAll(rig: Rig): Promise<void> {
  await stored(rig);
  const { router, store, apps, sent } = rig;
  expect(router.waitingBytes).toBe(0);
  for (const app of apps) expect(await messagesOf(store, app)).toEqual(sent.get(app));
}

describe.each(['process', 'disk'] as const)('lines of many apps, durability %s', (durability) => {
  it('are stored together, each app’s in their order, beside lines that go another way', async () => {
    const rig = open(durability, 65_536);
    await sendRounds(rig);
    await expectAll(rig);
    expect(rig.gathered).toBeGreaterThan((APPS * ROUNDS) / 4);
    expect(rig.failed).toBe(0);
  });

  it('are stored again, in their order, when the file of the commit log is removed', async () => {
    const rig = open(durability);
    await sendRounds(rig);
    const commits = join(rig.folder, 'commits');
    await sendRounds(rig, (round) => {
      if (round % 3 === 2) for (const name of readdirSync(commits)) rmSync(join(commits, name));
    });
    await expectAll(rig);
    expect(rig.failed).toBeGreaterThan(0);
  });
});

it('what was told to be stored of many apps is there after kill -9', async () => {
  const rig = open();
  await sendRounds(rig);
  await expectAll(rig);
  const copy = mkdtempSync(join(tmpdir(), 'tailrace-gatherer-copy-'));
  cpSync(rig.folder, copy, { recursive: true, filter: (path) => basename(path) !== 'lock' });
  const again = new EmbeddedStore({ folder: copy, retention: ROOMY, durability: 'process' });
  closers.push(async () => {
    await again.close();
    rmSync(copy, { recursive: true, force: true });
  });
  for (const app of rig.apps) expect(await messagesOf(again, app)).toEqual(rig.sent.get(app));
});

it('who follows a stream gets its lines, with numbers and without a gap', async () => {
  const rig = open();
  const [app] = rig.apps;
  const got: string[] = [];
  let next = 1;
  rig.store.subscribe(app, (batch) => {
    if (!batch) return;
    expect(batch.first).toBe(next);
    next = batch.last + 1;
    got.push(...linesOf([batch]).map((line) => line.slice(line.indexOf('line '))));
  });
  await sendRounds(rig);
  await expectAll(rig);
  expect(got).toEqual(rig.sent.get(app));
});

it('a stop stores what was gathered', async () => {
  const rig = open();
  await sendRounds(rig);
  for (const app of rig.apps) send(rig, app, true);
  expect(await rig.router.close(5_000)).toBe(0);
  for (const app of rig.apps) expect(await messagesOf(rig.store, app)).toEqual(rig.sent.get(app));
});

it('what gathers is given to the store when it is much, so that it counts as waiting', async () => {
  const rig = open();
  await sendRounds(rig);
  await stored(rig);
  const [app] = rig.apps;
  const records = batchOf('x'.repeat(9_000)).bytes.subarray(HEADROOM);
  const { waitingBytes } = rig.router;
  for (const one of rig.apps) rig.router.batcher(one).addRecords(records, 1);
  for (let i = 0; i < 600; i++) rig.router.batcher(app).addRecords(records, 1);
  expect(rig.router.waitingBytes - waitingBytes).toBeGreaterThan(4_000_000);
  rig.router.batcher(app).flushInBackground();
  await stored(rig);
  expect(rig.router.waitingBytes).toBe(0);
});
