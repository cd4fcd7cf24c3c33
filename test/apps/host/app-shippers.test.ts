import { expect, test } from 'vitest';
import { AppShippers } from '../../../src/apps/host/app-shippers.ts';
import type { TokenRecord } from '../../../src/logs/router/token-cache.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { startIngestServer } from '../forwarder/ingest-server.ts';

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
    onBackpressure: () => {},
    warn: (_fields, message) => warnings.push(message),
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
  await expect.poll(() => pendingReads.length, { timeout: 5_000 }).toBe(2);
  expect(warnings).toHaveLength(1);
  pendingReads[1](['app', 'heroku'].map((source) => ({ source, token: `t.${source}` }) as TokenRecord));
  await shippers.shipperFor(APP);
  sink.writeLine('app', 'run.1', 190, 'fifth');
  await shippers.closeAll();
  expect(server.messages()).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
});
