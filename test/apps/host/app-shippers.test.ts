import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AppShippers } from '../../../src/apps/host/app-shippers.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';
import type { TokenRecord } from '../../../src/logs/router/token-cache.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { dataFolderForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { type PlannedResponse, startIngestServer } from '../forwarder/ingest-server.ts';

const APP = 'app-1' as AppId;

test('lines that come before the tokens are known keep their order and their bytes', async () => {
  await using server = await startIngestServer();
  const pendingReads: ((tokens: TokenRecord[] | Error) => void)[] = [];
  const warnings: string[] = [];
  const shippers = new AppShippers({
    appRegistry: {
      listTokens: () =>
        new Promise((resolve, reject) =>
          pendingReads.push((result) => (result instanceof Error ? reject(result) : resolve(result))),
        ),
    },
    url: () => server.url,
    key: 'the-key',
    journalFolder: join(dataFolderForTest(), 'journal'),
    onBackpressure: () => {},
    log: { ...SILENT_LOG, warn: (_fields, message) => void warnings.push(message) },
  });
  const sink = shippers.sink(APP);
  const bytes = Buffer.from('first');
  sink.writeLine('heroku', 'run.1', 45, bytes);
  bytes.fill('!');
  const chunk = Buffer.from('second\nthird\n');
  const onWritable = (): void => {
    expect(sink.writeChunk('app', 'run.1', 190, chunk, () => {})).toBe(chunk.length);
  };
  expect(sink.writeChunk('app', 'run.1', 190, chunk, onWritable)).toBe(0);
  shippers.sink(APP).writeLine('heroku', 'run.1', 45, 'fourth');
  expect(pendingReads).toHaveLength(1);
  pendingReads[0](new Error('unavailable'));
  // Read again without another line.
  await expect.poll(() => pendingReads.length).toBe(2);
  expect(warnings).toHaveLength(1);
  pendingReads[1](['app', 'heroku'].map((source) => ({ source, token: `t.${source}` }) as TokenRecord));
  await shippers.shipperFor(APP);
  sink.writeLine('app', 'run.1', 190, 'fifth');
  await shippers.closeAll();
  expect(server.messages()).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
});

/** Shippers of a server that is killed, or of the one after it. */
function shippersOf(url: string, journalFolder: string): AppShippers {
  return new AppShippers({
    appRegistry: {
      listTokens: async () =>
        ['app', 'heroku'].map((source) => ({ source, token: `t.${source}` }) as TokenRecord),
    },
    url: () => url,
    key: 'the-key',
    journalFolder,
    onBackpressure: () => {},
    log: SILENT_LOG,
  });
}

test('what a server had taken and not stored when it was killed is sent by the next one, under the same ids and first', async () => {
  const journalFolder = join(dataFolderForTest(), 'journal');
  let answer: () => void = () => {};
  const held: PlannedResponse = { status: 503, after: new Promise<void>((resolve) => (answer = resolve)) };
  onTestFinished(() => answer());
  await using killed = await startIngestServer([204, held]);
  const before = shippersOf(killed.url, journalFolder);
  const shipper = await before.shipperFor(APP);
  const line = (message: string) => shipper.writeLine('app', 'web.1', 190, message);
  line('stored');
  await shipper.flush();
  line('on its way');
  await until('the request that isn’t answered', () => killed.requests.length === 2);
  line('waiting');
  const chunk = Buffer.from(Array.from({ length: 100 }, (_, i) => `chunk ${i}\n`).join(''));
  expect(shipper.writeChunk('app', 'web.1', 190, chunk, () => {})).toBe(chunk.length);
  shipper.writeLine('heroku', 'web.1', 45, 'x'.repeat(25_000));

  await using next = await startIngestServer();
  const after = shippersOf(next.url, journalFolder);
  after.recover(new Set([APP]));
  (await after.shipperFor(APP)).writeLine('app', 'web.1', 190, 'new');
  await (await after.shipperFor(APP)).flush();
  const messages = next.messages();
  expect(messages.slice(0, 2)).toEqual(['on its way', 'waiting']);
  expect(messages.slice(2, 102)).toEqual(Array.from({ length: 100 }, (_, i) => `chunk ${i}`));
  expect(messages.slice(102, -1).join('')).toBe('x'.repeat(25_000));
  expect(messages.at(-1)).toBe('new');
  expect(next.requests[0].headers['logplex-frame-id']).toBe(killed.requests[1].headers['logplex-frame-id']);

  await after.closeAll();
  // Nothing is sent once more.
  await using third = await startIngestServer();
  const last = shippersOf(third.url, journalFolder);
  last.recover(new Set([APP]));
  (await last.shipperFor(APP)).writeLine('app', 'web.1', 190, 'third');
  await last.closeAll();
  expect(third.messages()).toEqual(['third']);
});

test('what is left of an app that is gone, or since another start of the machine, is removed', async () => {
  const journalFolder = join(dataFolderForTest(), 'journal');
  let answer: () => void = () => {};
  const held: PlannedResponse = { status: 204, after: new Promise<void>((resolve) => (answer = resolve)) };
  onTestFinished(() => answer());
  await using server = await startIngestServer([held, held]);
  const before = shippersOf(server.url, journalFolder);
  (await before.shipperFor(APP)).writeLine('app', 'web.1', 190, 'left');
  await until('the request that isn’t answered', () => server.requests.length === 1);
  const [boot] = readdirSync(journalFolder);
  expect(readdirSync(join(journalFolder, boot))).toEqual([APP]);
  await using next = await startIngestServer();
  const after = shippersOf(next.url, journalFolder);
  after.recover(new Set());
  expect(readdirSync(join(journalFolder, boot))).toEqual([]);

  (await before.shipperFor('app-2' as AppId)).writeLine('app', 'web.1', 190, 'left');
  await until('the other request', () => server.requests.length === 2);
  renameSync(join(journalFolder, boot), join(journalFolder, 'another'));
  after.recover(new Set(['app-2' as AppId]));
  expect(readdirSync(journalFolder)).toEqual([]);
  (await after.shipperFor('app-2' as AppId)).writeLine('app', 'web.1', 190, 'new');
  await after.closeAll();
  expect(next.messages()).toEqual(['new']);
});
