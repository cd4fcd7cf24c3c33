/** Stack traces as one event, in searches, counts and drains of a real server. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { HttpReceiver } from '../../support/receivers/receivers.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { JAVA_TRACE, PYTHON_TRACE } from '../../support/senders/stack-traces.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let app: App;
beforeAll(async () => {
  server = await startServer();
  app = await server.createApp();
});
afterAll(() => server?.close());

const read = async (query: string): Promise<string[]> => server.readMessages(app, query);

describe('a stack trace', () => {
  beforeAll(async () => {
    await pushLines(server, app.token, ['before', ...PYTHON_TRACE, 'between', ...JAVA_TRACE, 'after']);
  });

  it.each([
    ['level=error', [...PYTHON_TRACE, ...JAVA_TRACE]],
    ['q=Traceback', PYTHON_TRACE],
    ['q=needle', PYTHON_TRACE],
    ['q=%22order+7%22', JAVA_TRACE],
    ['q=Order.java', JAVA_TRACE],
    ['q=between', ['between']],
    ['q=needle&events=false', [PYTHON_TRACE[8]]],
    ['q=needle&lines=1000&source=app', PYTHON_TRACE],
  ])('comes whole: %s', async (query, wanted) => expect(await read(query)).toEqual(wanted));

  it('also when each of its lines is a batch of its own', async () => {
    const slow = await server.createApp();
    const all = ['before', ...PYTHON_TRACE, 'after'];
    for (const line of all) await pushLines(server, slow.token, [line]);
    const found = (await server.readMessages(slow, 'level=error')).filter((line) => line !== 'after');
    // Whatever batches were made of them: from the first line that matches on.
    expect(found).toEqual(PYTHON_TRACE);
  });

  it('is one error in counts', async () => {
    const sums = async (query: string): Promise<number[]> => {
      const counts = await server.request<{ errors: number[]; others: number[] }>(
        'GET',
        `/apps/${app.name}/log-counts?range=1h${query}`,
      );
      return [counts.errors, counts.others].map((numbers) => numbers.reduce((sum, one) => sum + one, 0));
    };
    expect(await sums('')).toEqual([2, PYTHON_TRACE.length + JAVA_TRACE.length + 1]);
    expect(await sums('&q=needle')).toEqual([1, PYTHON_TRACE.length - 1]);
  });

  it('logs --level and -q print it whole, --no-events doesn’t', async () => {
    const logs = async (...args: string[]): Promise<string> =>
      (await runTailrace(['logs', '-a', app.name, ...args], { env: server.env })).stdout;
    expect(await logs('-q', 'IOException')).toMatch(
      /order 7 failed\n.*Order\.java.*\n.*Caused by.*\n.*12 more\n$/,
    );
    expect((await logs('-q', 'IOException', '--no-events')).split('\n')).toHaveLength(2);
  });

  it('is kept whole by the filters of drains', async () => {
    const receiver = await new HttpReceiver().listen();
    onTestFinished(() => receiver.close());
    const drained = await server.createApp();
    const url = `http://127.0.0.1:${receiver.port}/`;
    const flags = ['--level', 'error', '--exclude', 'order 7'];
    const added = await runTailrace(['drains:add', url, '-a', drained.name, ...flags], { env: server.env });
    expect(added).toMatchObject({ status: 0, stderr: '' });
    await pushLines(server, drained.token, [
      'before',
      ...PYTHON_TRACE,
      'between',
      ...JAVA_TRACE,
      'ERROR: the last',
    ]);
    const arrived = await until('the last line', () => {
      const messages = receiver.acceptedMessages();
      return messages.at(-1) === 'ERROR: the last' && messages;
    });
    expect(arrived).toEqual([...PYTHON_TRACE, 'ERROR: the last']);
  });
});
