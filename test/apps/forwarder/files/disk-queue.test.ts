import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DiskQueue, type DiskQueueOptions } from '../../../../src/apps/forwarder/files/disk-queue.ts';
import { Spool, SpoolInUseError } from '../../../../src/apps/forwarder/files/spool.ts';
import { Shipper } from '../../../../src/apps/forwarder/shipper.ts';
import { startIngestServer } from '../ingest-server.ts';

const numbered = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-spool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(url: string, folder: string, options: Partial<DiskQueueOptions> = {}) {
  const spool = new Spool(folder);
  const trouble: string[] = [];
  const queue = new DiskQueue(spool, {
    lineCountMax: 10,
    byteCountMax: 65_536,
    diskBytesMax: 1_000_000,
    onWarning: (message) => trouble.push(message),
    ...options,
  });
  const tokens = { app: 't.a' };
  const shipper = new Shipper({ url, key: 'k', tokens, queue, retriesFixable: true, retryDelayMs: () => 1 });
  return { spool, queue, shipper, trouble };
}

test('what one process could not deliver, the next one does, with the same frame ids, in order', async () => {
  const folder = folderForTest();
  await using away = await startIngestServer([], 503);
  let at = 0;
  const first = open(away.url, folder, { checkpoint: () => ({ at }) });
  for (const text of numbered(25)) {
    first.shipper.writeLine('app', 'web.1', 190, text);
    at += 1;
  }
  await expect.poll(() => away.requests.length).toBeGreaterThan(1);
  expect(await first.shipper.close(10)).toMatchObject({ accepted: 0, dropped: 0, lost: 0 });
  expect(readdirSync(folder).filter((name) => name.endsWith('.batch'))).toHaveLength(3);

  await using server = await startIngestServer(['reset', 401, 503, 204]);
  const second = open(server.url, folder);
  expect(second.spool.checkpoint()).toEqual({ value: { at: 25 }, isDamaged: false });
  second.shipper.writeLine('app', 'web.1', 190, 'line 26');
  await second.shipper.flush();
  const ids = server.requests.map(({ headers }) => headers['logplex-frame-id']);
  expect(ids[3]).toBe(away.requests[0].headers['logplex-frame-id']);
  expect(new Set(ids.slice(0, 4)).size).toBe(1);
  expect(server.messages().slice(30)).toEqual(numbered(26));
  await second.shipper.close();
  expect(readdirSync(folder)).toEqual(['note.json']);
  expect(new Spool(folder).checkpoint()).toEqual({ value: { at: 25 }, isDamaged: false });
});

test('a batch whose response was lost is sent again as it was', async () => {
  const folder = folderForTest();
  await using server = await startIngestServer(Array(50).fill('reset'));
  const first = open(server.url, folder);
  first.shipper.writeLine('app', 'web.1', 190, 'line 1');
  await expect.poll(() => server.requests.length).toBeGreaterThan(0);
  await first.shipper.close(0);
  await using again = await startIngestServer();
  const second = open(again.url, folder);
  await second.shipper.close();
  expect(again.requests[0].frames).toEqual(server.requests[0].frames);
  expect(again.requests[0].headers['logplex-frame-id']).toBe(server.requests[0].headers['logplex-frame-id']);
});

test('what doesn’t fit on the disk is dropped and reported', async () => {
  const folder = folderForTest();
  let go = (): void => {};
  const after = new Promise<void>((resolve) => {
    go = resolve;
  });
  await using server = await startIngestServer([{ status: 204, after }]);
  const { shipper } = open(server.url, folder, { diskBytesMax: 20_000 });
  for (const text of numbered(100)) shipper.writeLine('app', 'web.1', 190, text);
  const { dropped } = shipper.stats();
  expect(dropped).toBeGreaterThan(40);
  go();
  await shipper.flush();
  expect(server.messages().at(-1)).toMatch(new RegExp(`^Error L12: ${dropped} messages dropped since `));
  expect(server.messages().slice(0, -1)).toEqual(numbered(100 - dropped));
});

test('while the disk can’t be written, lines are buffered in memory, with a warning', async () => {
  const folder = folderForTest();
  await using server = await startIngestServer();
  const { shipper, trouble } = open(server.url, folder);
  rmSync(folder, { recursive: true });
  for (const text of numbered(25)) shipper.writeLine('app', 'web.1', 190, text);
  await shipper.flush();
  expect(server.messages()).toEqual(numbered(25));
  expect(trouble).toEqual([expect.stringContaining("Lines can't be kept on disk (ENOENT")]);
  expect(shipper.stats()).toMatchObject({ accepted: 25, bufferedBytes: 0 });
});

test('unknown and truncated files are ignored', async () => {
  const folder = folderForTest();
  writeFileSync(join(folder, 'README'), 'hello');
  writeFileSync(join(folder, '000000000007-3.batch'), '{"frameId":');
  writeFileSync(join(folder, '000000000008-3.batch'), '');
  writeFileSync(join(folder, 'note.json'), '{"at"');
  writeFileSync(join(folder, 'lock'), '999999999 1');
  await using server = await startIngestServer();
  const { shipper, trouble, spool } = open(server.url, folder);
  expect(spool.checkpoint()).toEqual({ value: undefined, isDamaged: true });
  shipper.writeLine('app', 'web.1', 190, 'line 1');
  await shipper.close();
  expect(server.messages()).toEqual(['line 1']);
  expect(trouble).toHaveLength(2);
  expect(readdirSync(folder).sort()).toEqual(['README', 'note.json']);
});

test('a spool is locked: one process at a time', () => {
  const folder = folderForTest();
  const spool = new Spool(folder);
  expect(() => new Spool(folder)).toThrow(SpoolInUseError);
  spool.close();
  new Spool(folder).close();
});
