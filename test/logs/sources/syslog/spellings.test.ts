/** The spellings of test/fixtures/syslog, sent to a real server over each framing: what is stored of them. */
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../support/free-port.ts';
import { connectTcp, octetCounted, sendOverTcp } from '../../../support/senders/send-lines.ts';
import { isSameTime, readSpellings, type Spelling, storedTime } from '../../../support/senders/spellings.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const TOKEN = /t\.feff49f1-0000-4000-8000-000000000000/;
let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Stored {
  readonly timestamp: string;
  readonly facility: number;
  readonly severity: number;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly message: string;
}

/** A port whose lines are the app's, of a source that no program is called. */
async function portOf(app: App): Promise<number> {
  const port = await freePort();
  await server.request('POST', `/apps/${app.name}/source-rules`, { source: 'senders', port });
  const isOpen = (): Promise<boolean> =>
    connectTcp(port).then(
      (socket) => !!socket.destroy(),
      () => false,
    );
  await until('the port', isOpen);
  return port;
}

async function expectStored(app: App, spellings: readonly Spelling[], fromMs: number): Promise<void> {
  const lines = await until('all lines', async () => {
    const all = await server.readLines(app, 'format=json&lines=10000');
    return all.length >= spellings.length && all;
  });
  const stored: Stored[] = lines.map((line) => JSON.parse(line));
  expect(stored).toHaveLength(spellings.length);
  for (const [i, spelling] of spellings.entries()) {
    const { priority, host, program, pid, message, line } = spelling;
    const { timestamp, ...rest } = stored[i];
    const names = [program.replace(TOKEN, '').replace('/', TOKEN.test(program) ? '' : '/'), pid];
    expect(rest, line).toMatchObject({
      facility: priority >> 3,
      severity: priority & 7,
      hostname: host === '-' ? '127.0.0.1' : host,
      source: TOKEN.test(program) ? 'app' : 'senders',
      dyno: names.filter((name) => name !== '' && name !== '-').join('.') || '-',
      message,
    });
    // One without a year may be of a day that isn't over, whose clock is the sender's fault.
    const time = spelling.time?.match(/^(local:)?\d\d-/) ? undefined : storedTime(spelling, fromMs);
    if (time !== undefined) expect(isSameTime(timestamp, time), line).toBe(true);
    else if (spelling.time === null) expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(fromMs - 1_000);
  }
}

const SPELLINGS = readSpellings();
const withoutEnd = (line: string): string => line.replace(/[\0\n]+$/, '');
const wire = ({ line }: Spelling, app: App): string => line.replace(TOKEN, app.token);

it('octet counted', async () => {
  const app = await server.createApp();
  const fromMs = Date.now();
  const frames = SPELLINGS.map((one) => octetCounted(withoutEnd(wire(one, app))));
  const { miscounted } = await server.sourceCounters('tcp');
  await sendOverTcp(await portOf(app), Buffer.concat(frames));
  await expectStored(app, SPELLINGS, fromMs);
  expect((await server.sourceCounters('tcp')).miscounted).toBe(miscounted);
});

it('that end with newlines', async () => {
  const app = await server.createApp();
  const fromMs = Date.now();
  const spellings = SPELLINGS.filter(({ line }) => !withoutEnd(line).includes('\n'));
  await sendOverTcp(await portOf(app), spellings.map((one) => `${withoutEnd(wire(one, app))}\n`).join(''));
  await expectStored(app, spellings, fromMs);
});

it('in datagrams', async () => {
  const app = await server.createApp();
  const port = await portOf(app);
  const fromMs = Date.now();
  const socket = createSocket('udp4');
  try {
    for (const [i, one] of SPELLINGS.entries()) {
      await new Promise<void>((resolve, reject) =>
        socket.send(wire(one, app), port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
      );
      // More of them might not fit into the system's buffer.
      if (i % 100 === 99)
        await until('the lines so far', async () => (await server.readLines(app, 'lines=10000')).length > i);
    }
    await expectStored(app, SPELLINGS, fromMs);
  } finally {
    socket.close();
  }
});
