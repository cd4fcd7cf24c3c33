/**
 * What every source has to do, whatever its protocol: the same cases over all of them, with one server. Where a protocol can't
 * (UDP has no back-pressure and no acknowledgement), the case says what is expected instead.
 */
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { expectSameLines } from '../../../support/expect-same-lines.ts';
import { missing, runProgram } from '../../../support/program.ts';
import { makeClientCertificates } from '../../../support/senders/client-certificates.ts';
import { connectTcp, logplexBody, numberedMessages } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';
import { type SourceClient, type TestedSource, testedSources } from './source-clients.ts';

const withTls = !missing('openssl');
const SOURCES = testedSources(withTls);
const each = it.each(SOURCES.map((source) => [source.name, source] as const));

const PENDING_BYTES = 1_000_000;
/** Three times as much as may wait. */
const FLOOD = numberedMessages(3_000, `flood ${'x'.repeat(900)}`);
/** One app may fill half of what may wait, and each of others a sixteenth beyond it. */
const FLOODED_APPS = 20;
const FLOODED_PART = 1 / 2;

let folder = '';
let data = '';
let tlsAuthority = '';
let env: Record<string, string> = {};
let server: Server;
beforeAll(async () => {
  data = temporaryFolder();
  folder = temporaryFolder();
  env = { TAILRACE_PENDING_BYTES: String(PENDING_BYTES) };
  if (withTls) {
    const { authority, serverCert, serverKey } = makeClientCertificates(folder);
    tlsAuthority = authority;
    env.TAILRACE_SYSLOG_TLS_CERT = serverCert;
    env.TAILRACE_SYSLOG_TLS_KEY = serverKey;
  }
  server = await startServer({ data, env });
});
afterAll(async () => {
  await server?.close();
  for (const path of [data, folder]) rmSync(path, { recursive: true, force: true });
});

async function connect(source: TestedSource): Promise<SourceClient> {
  const client = await source.connect(server, tlsAuthority);
  onTestFinished(() => client.close());
  return client;
}

/** Sends lines that have to be accepted. */
async function sendAccepted(client: SourceClient, token: string, messages: readonly string[]): Promise<void> {
  const response = await client.send(token, messages);
  if (response && response.status >= 300) throw new Error(`${response.status} ${response.text}`);
}

/** The stored messages; where the source doesn't acknowledge them, waits for so many. */
async function storedMessages({ acknowledges }: TestedSource, app: App, count: number): Promise<string[]> {
  if (acknowledges !== 'response')
    await until('all lines', async () => (await server.readMessages(app)).length >= count);
  return server.readMessages(app);
}

async function waitingBytes(): Promise<number> {
  const response = await fetch(`${server.url}/metrics`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  return Number(/^tailrace_waiting_bytes (\d+)/m.exec(await response.text())?.[1]);
}

/** From now on the store is full: its files may not grow. Then sends lines of each app until more than such a part of what may wait does. */
async function flood(apps: readonly App[], part: number): Promise<Socket[]> {
  await limitFileSize('1:unlimited');
  const flooders = await Promise.all(
    apps.map(async ({ token }) => {
      const flooder = await connectTcp(server.syslogPort);
      flooder.on('error', () => {});
      flooder.write(logplexBody(FLOOD, token));
      return flooder;
    }),
  );
  await until('so much to wait', async () => (await waitingBytes()) > part * PENDING_BYTES);
  return flooders;
}

/** @param limit `SOFT:HARD`, or both, in bytes. */
async function limitFileSize(limit: string): Promise<void> {
  const { status, stderr } = await runProgram('prlimit', [`--pid=${server.program.pid}`, `--fsize=${limit}`]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

describe('lines', () => {
  each(
    'of one connection are stored in order, as soon as they are acknowledged: %s',
    async (_name, source) => {
      const app = await server.createApp();
      const client = await connect(source);
      const messages = numberedMessages(200);
      for (let i = 0; i < messages.length; i += 40)
        await sendAccepted(client, app.token, messages.slice(i, i + 40));
      expectSameLines(await storedMessages(source, app, messages.length), messages);
      expect((await server.sourceCounters(source.protocol)).lost).toBe(0);
    },
  );

  each('of many connections at once are stored, each connection’s in order: %s', async (_name, source) => {
    const app = await server.createApp();
    const sent = Array.from({ length: 10 }, (_, i) => numberedMessages(20, `connection ${i}, line`));
    await Promise.all(
      sent.map(async (messages) => {
        const client = await connect(source);
        for (let i = 0; i < messages.length; i += 5)
          await sendAccepted(client, app.token, messages.slice(i, i + 5));
      }),
    );
    const stored = await storedMessages(source, app, sent.flat().length);
    expect(stored).toHaveLength(sent.flat().length);
    for (const [i, messages] of sent.entries())
      expectSameLines(
        stored.filter((message) => message.startsWith(`connection ${i},`)),
        messages,
      );
  });
});

describe('malformed input', () => {
  each(
    'is counted, rejected with a clear error, and does not harm what comes after it: %s',
    async (_name, source) => {
      const app = await server.createApp();
      const client = await connect(source);
      const before = (await server.sourceCounters(source.protocol)).malformed;
      const response = await client.sendMalformed(app.token);
      expect(response && { status: response.status, text: response.text }).toEqual(
        source.malformedError && { status: 400, text: source.malformedError },
      );
      await sendAccepted(client, app.token, ['good']);
      expect(await storedMessages(source, app, 1)).toEqual(['good']);
      expect((await server.sourceCounters(source.protocol)).malformed - before).toBe(1);
    },
  );
});

describe('an unknown token', () => {
  each('is counted, rejected with a clear error, and stores nothing: %s', async (_name, source) => {
    const app = await server.createApp();
    const client = await connect(source);
    const before = (await server.sourceCounters(source.protocol)).unknownToken;
    const response = await client.send('t.00000000-0000-4000-8000-000000000000', ['nobody’s']);
    if (source.acknowledges === 'response') {
      expect(response?.status).toBe(401);
      expect(response?.text).toMatch(/^Unauthorized: show a source token/);
    }
    await sendAccepted(client, app.token, ['good']);
    expect(await storedMessages(source, app, 1)).toEqual(['good']);
    expect((await server.sourceCounters(source.protocol)).unknownToken - before).toBe(1);
  });
});

describe.skipIf(missing('prlimit'))('while too much waits to be stored', () => {
  let flooders: Socket[];
  let flooded: App[];
  /** Each source's app has a token that the server knows already: a look-up would take a second read. */
  const apps = new Map<TestedSource, App>();
  const clients = new Map<TestedSource, SourceClient>();
  const held = new Map<
    TestedSource,
    { readonly messages: readonly string[]; readonly sending: Promise<unknown> }
  >();

  beforeAll(async () => {
    for (const source of SOURCES) {
      const app = await server.createApp();
      const client = await source.connect(server, tlsAuthority);
      await sendAccepted(client, app.token, ['first']);
      await storedMessages(source, app, 1);
      apps.set(source, app);
      clients.set(source, client);
    }
    flooded = [];
    for (let i = 0; i < FLOODED_APPS; i++) flooded.push(await server.createApp());
    flooders = await flood(flooded, 1);
  });
  afterAll(async () => {
    await limitFileSize('unlimited');
    for (const flooder of flooders) flooder.destroy();
    for (const client of clients.values()) client.close();
  });

  each('senders are paused, or rejected and counted: %s', async (_name, source) => {
    const app = apps.get(source)!;
    const client = clients.get(source)!;
    const before = await server.sourceCounters(source.protocol);
    if (source.acknowledges === 'response') {
      expect(await client.send(app.token, ['rejected'])).toMatchObject({
        status: 503,
        text: 'Too much waits to be stored: try again in a moment.',
        retryAfter: expect.stringMatching(/^[1-9]\d*$/),
      });
    } else if (source.acknowledges === 'none') {
      await client.send(app.token, numberedMessages(20, 'lost'));
      await until(
        'all to be counted',
        async () => (await server.sourceCounters(source.protocol)).lost - before.lost === 20,
      );
    } else {
      // Ten times what is read at once, or more.
      const messages = numberedMessages(2_000, 'x'.repeat(300));
      held.set(source, { messages, sending: client.send(app.token, messages) });
      await until(
        'the first of them',
        async () => (await server.sourceCounters(source.protocol)).lines > before.lines,
      );
      // Each response takes a turn of the event loop, in which a connection that isn't paused would be read.
      for (let i = 0; i < 30; i++) await server.sourceCounters(source.protocol);
      const taken = (await server.sourceCounters(source.protocol)).lines - before.lines;
      expect(taken).toBeLessThan(1_000);
    }
  });

  it('nothing that was accepted is lost, and all are served again as soon as there is space', async () => {
    await limitFileSize('unlimited');
    for (const app of flooded) {
      await until('the flood', async () => (await server.readMessages(app)).length === FLOOD.length);
      expectSameLines(await server.readMessages(app), FLOOD);
    }
    for (const source of SOURCES) {
      const app = apps.get(source)!;
      const { messages, sending } = held.get(source) ?? { messages: [], sending: undefined };
      await sending;
      await sendAccepted(clients.get(source)!, app.token, ['last']);
      const expected = ['first', ...messages, 'last'];
      expectSameLines(await storedMessages(source, app, expected.length), expected);
    }
  });
});

describe('the server’s close', () => {
  it('loses nothing that was accepted: all acknowledged lines, and of each connection all up to some line', async () => {
    const sources = SOURCES.filter(({ acknowledges }) => acknowledges !== 'none');
    let closed = false;
    /** Sends one line after another until the server has closed. */
    const sendOn = async (source: TestedSource, app: App) => {
      const client = await connect(source);
      const sent: string[] = [];
      let acknowledged = 0;
      try {
        while (!closed) {
          const message = `line ${sent.length}`;
          sent.push(message);
          await sendAccepted(client, app.token, [message]);
          if (source.acknowledges === 'response') acknowledged = sent.length;
          await new Promise(setImmediate);
        }
      } catch {
        // The connection is closed.
      }
      return { source, app, sent, acknowledged };
    };
    const apps = await Promise.all(sources.map(() => server.createApp()));
    const sending = sources.map((source, i) => sendOn(source, apps[i]));
    for (const app of apps)
      await until('lines of each', async () => (await server.readMessages(app)).length >= 20);
    await server.close();
    closed = true;
    const all = await Promise.all(sending);
    server = await startServer({ data, env });
    for (const { source, app, sent, acknowledged } of all) {
      const stored = await server.readMessages(app);
      expect(stored.length, source.name).toBeGreaterThanOrEqual(Math.max(20, acknowledged));
      expectSameLines(stored, sent.slice(0, stored.length));
    }
  });

  it.skipIf(missing('prlimit'))('stores what waits, once the store has space again', async () => {
    const app = await server.createApp();
    const before = (await server.sourceCounters('tcp')).lines;
    const [flooder] = await flood([app], FLOODED_PART);
    const accepted = (await server.sourceCounters('tcp')).lines - before;
    expect(accepted).toBeGreaterThan(0);
    expect(await server.readMessages(app)).toEqual([]);
    const closing = server.close();
    // Sources are closed before the router stores what is left.
    await until('its port to be closed', () =>
      connectTcp(server.syslogPort).then(
        (socket) => void socket.destroy(),
        () => true,
      ),
    );
    await limitFileSize('unlimited');
    await closing;
    expect(server.program.stderr).not.toContain('could not be stored before the end');
    flooder.destroy();
    server = await startServer({ data, env });
    // What the sender had on its way is read too.
    const stored = await server.readMessages(app);
    expect(stored.length).toBeGreaterThanOrEqual(accepted);
    expectSameLines(stored, FLOOD.slice(0, stored.length));
  });
});
