import { expect, test } from 'vitest';
import { AppShippers } from '../../../src/apps/host/app-shippers.ts';
import type { TokenRecord } from '../../../src/logs/router/token-cache.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { startIngestServer } from '../forwarder/ingest-server.ts';

const APP = 'app-1' as AppId;

test('lines that come before the tokens are known keep their order, and what they were', async () => {
  await using server = await startIngestServer();
  const answers: ((tokens: TokenRecord[] | Error) => void)[] = [];
  const warnings: string[] = [];
  const lines = new AppShippers({
    appRegistry: {
      listTokens: () =>
        new Promise((resolve, reject) =>
          answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
        ),
    },
    url: () => server.url,
    key: 'the-key',
    onBackpressure: () => {},
    warn: (_fields, message) => warnings.push(message),
  });
  const sink = lines.sink(APP);
  const bytes = Buffer.from('first');
  sink.writeLine('heroku', 'run.1', 45, bytes);
  bytes.fill('!');
  const run = Buffer.from('second\nthird\n');
  const onRoom = (): void => {
    expect(sink.writeChunk('app', 'run.1', 190, run, () => {})).toBe(run.length);
  };
  expect(sink.writeChunk('app', 'run.1', 190, run, onRoom)).toBe(0);
  lines.sink(APP).writeLine('heroku', 'run.1', 45, 'fourth');
  expect(answers).toHaveLength(1);
  answers[0](new Error('away'));
  // Asked again, by itself.
  await expect.poll(() => answers.length, { timeout: 5_000 }).toBe(2);
  expect(warnings).toHaveLength(1);
  answers[1](['app', 'heroku'].map((source) => ({ source, token: `t.${source}` }) as TokenRecord));
  await lines.shipperFor(APP);
  sink.writeLine('app', 'run.1', 190, 'fifth');
  await lines.closeAll();
  expect(server.messages()).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
});
