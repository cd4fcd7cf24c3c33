/** A drain's worker and a tail on a stream whose newest lines are damaged, or that ends before the drain's cursor. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DrainWorker } from '../../../src/logs/drains/drain-worker.ts';
import { LeaseHold } from '../../../src/logs/drains/lease-hold.ts';
import { type DrainRecord, drainKey } from '../../../src/logs/drains/options/drain-record.ts';
import type { LossNotice, Outlet } from '../../../src/logs/drains/outlet.ts';
import { cursorKey } from '../../../src/logs/drains/progress/cursor-record.ts';
import type { Shipment } from '../../../src/logs/drains/shipment.ts';
import { StoreTime } from '../../../src/logs/drains/store-time.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { StreamReaders } from '../../../src/logs/store/stream-reader.ts';
import { batchOf, linesOf, newAppId } from '../../support/batches.ts';
import { until } from '../../support/until.ts';

let folder: string;
let app: AppId;
let store: EmbeddedStore;
let ends: (() => unknown)[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-drain-'));
  app = newAppId();
  store = new EmbeddedStore({
    folder,
    retention: { lines: 1e6, bytes: 1e8, ageMs: 1e9 },
    durability: 'process',
  });
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Takes everything. */
class RecordingOutlet implements Outlet {
  readonly shipments: Shipment[] = [];
  readonly notices: (LossNotice | undefined)[] = [];
  readonly shipmentBytesMax = 100_000;
  readonly hasFrameIds = true;
  readonly lastAnswer = '';

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<number> {
    this.shipments.push(shipment);
    this.notices.push(notice);
    return shipment.last;
  }

  async flush(): Promise<number> {
    return this.shipments.at(-1)?.last ?? 0;
  }

  async close(): Promise<void> {}

  get lines(): string[] {
    return this.shipments.flatMap(({ slices }) => linesOf(slices.map(({ batch }) => batch)));
  }
}

async function startWorker(): Promise<{ outlet: RecordingOutlet; worker: DrainWorker; reports: string[] }> {
  const drain: DrainRecord = {
    id: 'drain',
    token: 'd.1',
    app,
    url: 'http://127.0.0.1:9/',
    createdAt: '',
    updatedAt: '',
    after: 0,
  };
  await store.transact('', [{ key: drainKey(drain.id), value: drain }]);
  const outlet = new RecordingOutlet();
  const reports: string[] = [];
  const { reader, close } = new StreamReaders(store).open(app);
  const lease = await store.acquireLease('drain', 'me', 1e6);
  if (!lease) throw new Error('somebody else has the drain');
  const logToApp = (_kind: string, message: string): void => void reports.push(message);
  const worker = new DrainWorker({
    drain,
    store,
    time: new StoreTime(store),
    reader,
    lease: new LeaseHold(lease, Number.POSITIVE_INFINITY),
    createOutlet: () => outlet,
    logToApp,
    random: () => 0,
  });
  const finished = worker.run();
  ends.push(
    close,
    () => finished,
    () => worker.stop(0),
  );
  return { outlet, worker, reports };
}

function damageNewestBatch(): void {
  const file = join(folder, 'streams', app, readdirSync(join(folder, 'streams', app))[0]);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(file, bytes);
}

describe('a drain', () => {
  it('whose next lines are damaged, and the newest, counts them, and rests until there are others', async () => {
    await store.append(app, batchOf('one', 'two'));
    await store.append(app, batchOf('three', 'four', 'five'));
    damageNewestBatch();
    const reads: number[] = [];
    const { read } = store;
    store.read = (...args) => {
      reads.push(args[1]);
      return read.apply(store, args);
    };
    const { outlet, worker, reports } = await startWorker();
    await until('the loss is counted', () => worker.snapshot().lost === 3);
    expect(outlet.lines).toEqual(['one', 'two']);
    expect(reports).toEqual([expect.stringContaining('dropped 3 messages')]);
    expect(reads.length).toBeLessThan(6);
    await store.append(app, batchOf('six'));
    await until('the next line is there', () => outlet.lines.includes('six'));
    expect(outlet.notices.at(-1)).toMatchObject({ count: 3 });
    expect(worker.snapshot()).toMatchObject({ delivered: 3, lost: 3, after: 6 });
  });

  it('that reads nothing where lines are stored a moment later, as behind a failover, gets them', async () => {
    await store.append(app, batchOf('one', 'two'));
    const { read } = store;
    let reads = 0;
    store.read = (...args) => (reads++ === 0 ? Promise.resolve([]) : read.apply(store, args));
    const { outlet, worker, reports } = await startWorker();
    await until('the lines are there', () => outlet.lines.length === 2);
    expect(worker.snapshot()).toMatchObject({ delivered: 2, lost: 0 });
    expect(reports).toEqual([]);
  });

  it('of a shared store that has lost its end waits for a while whether its lines come again', async () => {
    Object.defineProperty(store, 'shared', { value: true });
    await store.append(app, batchOf('one', 'two'));
    const { read } = store;
    let reads = 0;
    store.read = (...args) => (reads++ < 3 ? Promise.resolve([]) : read.apply(store, args));
    const { outlet, worker, reports } = await startWorker();
    await until('the lines are there', () => outlet.lines.length === 2);
    expect(worker.snapshot()).toMatchObject({ delivered: 2, lost: 0 });
    expect(reports).toEqual([]);
  });

  it('ahead of its stream, which has lost its end, gets every line that comes', async () => {
    await store.append(app, batchOf('one', 'two'));
    const cursor = { after: 1_000, delivered: 1_000, lost: 0, fence: 0 };
    await store.transact(app, [{ key: cursorKey('drain'), value: cursor }]);
    const { outlet, worker } = await startWorker();
    await until('the stream goes on behind the cursor', async () => (await store.bounds(app)).last === 1_000);
    const { first } = await store.append(app, batchOf('new'));
    expect(first).toBe(1_001);
    await until('the line is there', () => outlet.lines.includes('new'));
    expect(worker.snapshot()).toMatchObject({ delivered: 1_001, lost: 0 });
    expect(linesOf(await store.read(app, 2, 1e6))[0]).toMatch(/Error L16 .* Lines 3 to 1000 \(998\)/);
  });
});
