import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { logplexBody, numberedMessages, postLogs, pushLines } from '../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type ServeOptions,
  type Server,
  startServerForTest,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** A server that answers at once what it can't store now. */
function startServer(options: ServeOptions): Promise<Server> {
  return startServerForTest({ ...options, env: { TAILRACE_HOLD_TIMEOUT: '1ms', ...options.env } });
}

/** A folder in another one that is removed with the test, so that it can be moved. */
function movableFolder(): { data: string; away: string } {
  const folder = dataFolderForTest();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  return { data, away: join(folder, 'away') };
}

/** Lines that the store has logged about the place of its data. */
function said(server: Server, pattern: RegExp): string[] {
  const ofStore = server.program.stderr.split('\n').filter((line) => line.includes('"area":"store"'));
  return ofStore.filter((line) => pattern.test(line));
}

/** Expects what everybody is told while nothing can be kept. */
async function expectRefusal(server: Server, app: App, pattern: RegExp): Promise<void> {
  const { status, text, headers } = await postLogs(server, app.token, logplexBody(['refused']));
  expect(status).toBe(503);
  expect(text).toMatch(pattern);
  expect(headers['retry-after']).toBeDefined();
  const { status: healthStatus, body } = await server.health();
  expect(healthStatus).toBe(503);
  expect(body.message).toMatch(pattern);
  expect((await fetch(`${server.url}/healthcheck`)).status).toBe(503);
  await expect(server.createApp()).rejects.toThrow(/503/);
  const doctor = await runTailrace(['doctor', '--no-color'], { env: server.env });
  expect(doctor.status).toBe(1);
  expect(doctor.stdout).toMatch(/✗ store/);
  expect(doctor.stdout).toMatch(pattern);
  await until('the server’s own log', () => said(server, pattern).length > 0);
  expect(said(server, pattern)).toHaveLength(1);
}

const streamFolder = (data: string, app: App): string => join(data, 'streams', app.id);

/** Posts numbered lines one after the other until it is stopped. */
class Producer {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  private isStopped = false;
  private readonly finished: Promise<void>;

  constructor(server: Server, app: App) {
    this.finished = this.run(server, app);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.finished;
  }

  private async run(server: Server, app: App): Promise<void> {
    for (let i = 0; !this.isStopped; i++) {
      const { status } = await postLogs(server, app.token, logplexBody([`line ${i}`]));
      expect([204, 503]).toContain(status);
      (status === 204 ? this.acknowledged : this.refused).push(`line ${i}`);
    }
  }
}

describe('the data folder, while the server runs,', () => {
  it.each<[string, RegExp, (data: string, away: string) => void]>([
    ['is removed', /is gone/, (data) => rmSync(data, { recursive: true })],
    ['is moved', /is gone/, (data, away) => renameSync(data, away)],
    [
      'is replaced by a copy',
      /was replaced/,
      (data, away) => {
        cpSync(data, `${data}-copy`, { recursive: true });
        renameSync(data, away);
        renameSync(`${data}-copy`, data);
      },
    ],
    [
      'loses its streams',
      /streams in the data folder .* is gone/,
      (data) => rmSync(join(data, 'streams'), { recursive: true }),
    ],
    [
      'loses its records',
      /store\.mdb in the data folder .* is gone/,
      (data) => rmSync(join(data, 'store.mdb')),
    ],
    [
      'gets another file for its records',
      /store\.mdb in the data folder .* was replaced/,
      (data, away) => {
        cpSync(join(data, 'store.mdb'), away);
        renameSync(away, join(data, 'store.mdb'));
      },
    ],
  ])('%s: nothing is acknowledged any more, and everybody is told why', async (_, pattern, act) => {
    const { data, away } = movableFolder();
    const server = await startServer({ data });
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    act(data, away);
    await expectRefusal(server, app, pattern);
    // Readers get what they can still get, and it ends as any other.
    expect(await server.readMessages(app)).toEqual(numberedMessages(10));
    expect(await server.program.stop('SIGTERM')).toMatchObject({ status: 0 });
  });

  it('is gone when nobody sends anything: /health and the log say so, and a doctor who only knows the port', async () => {
    const { data, away } = movableFolder();
    const port = await freePort();
    const server = await startServer({ data, env: { TAILRACE_HTTP_PORT: String(port) } });
    renameSync(data, away);
    await until('the health', async () => (await server.health()).status === 503);
    await until('the log', () => said(server, /is gone/).length === 1);
    const env = { TAILRACE_DATA: data, TAILRACE_HTTP_PORT: String(port) };
    const doctor = await runTailrace(['doctor', '--no-color'], { env });
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/✗ server .*data folder .* is gone/);
    renameSync(away, data);
    await until('the health', async () => (await server.health()).status === 200);
    await until('the log', () => said(server, /lines are stored again/).length === 1);
  });

  it('is moved and put back under load: what was acknowledged is there, and what was refused isn’t', async () => {
    const { data, away } = movableFolder();
    const server = await startServer({ data, env: { TAILRACE_STREAM_BYTES: '1MB' } });
    const app = await server.createApp();
    const producer = new Producer(server, app);
    for (let round = 1; round <= 3; round++) {
      const before = producer.acknowledged.length;
      await until('lines', () => producer.acknowledged.length > before + 50);
      renameSync(data, away);
      const refused = producer.refused.length;
      await until('refusals', () => producer.refused.length > refused + 20);
      if (round === 2) {
        // Another one takes its place for a while.
        cpSync(away, data, { recursive: true });
        const again = producer.refused.length;
        await until('more refusals', () => producer.refused.length > again + 20);
        rmSync(data, { recursive: true });
      }
      renameSync(away, data);
    }
    const before = producer.acknowledged.length;
    await until('lines', () => producer.acknowledged.length > before + 50);
    await producer.stop();
    const { acknowledged } = producer;
    expect(await server.readMessages(app)).toEqual(acknowledged);
    await server.kill();
    const next = await startServer({ data });
    expect(await next.readMessages(app)).toEqual(acknowledged);
  });

  it('is moved and put back: drains and tails go on, and miss nothing', async () => {
    const { data, away } = movableFolder();
    const http = await startHttpReceiver();
    const server = await startServer({ data });
    const app = await server.createApp();
    await server.createDrain(app, http.url);
    const tail = await new TailClient(server, app, { tail: true }).opened();
    await pushLines(server, app.token, numberedMessages(10));
    await until('the lines', () => http.acceptedMessages().length === 10 && tail.lines.length === 10);
    renameSync(data, away);
    await until('the tail to know', () => tail.messages().some((text) => text.includes('The store is away')));
    renameSync(away, data);
    await until('the tail to know', () => tail.messages().some((text) => text.includes('The store is back')));
    await pushLines(server, app.token, numberedMessages(10, 'after'));
    await until('the lines', () => http.acceptedMessages().includes('after 9'));
    const sent = [...numberedMessages(10), ...numberedMessages(10, 'after')];
    const isSent = (text: string): boolean => sent.includes(text);
    expect(http.acceptedMessages().filter(isSent)).toEqual(sent);
    await until('the lines', () => tail.messages().includes('after 9'));
    expect(tail.messages().filter(isSent)).toEqual(sent);
    tail.disconnect();
  });

  it('is moved, and the server killed: the refused lines aren’t in it', async () => {
    const { data, away } = movableFolder();
    const server = await startServer({ data });
    const app = await server.createApp();
    const producer = new Producer(server, app);
    await until('lines', () => producer.acknowledged.length > 50);
    renameSync(data, away);
    await until('refusals', () => producer.refused.length > 20);
    await producer.stop();
    await server.kill();
    renameSync(away, data);
    const next = await startServer({ data });
    expect(await next.readMessages(app)).toEqual(producer.acknowledged);
  });
});

describe('a file of a stream, while the server runs,', () => {
  it.each<[string, (data: string, app: App) => void]>([
    [
      'is removed',
      (data, app) => {
        for (const name of readdirSync(streamFolder(data, app))) rmSync(join(streamFolder(data, app), name));
      },
    ],
    ['is removed with its folder', (data, app) => rmSync(streamFolder(data, app), { recursive: true })],
    ['is moved with its folder', (data, app) => renameSync(streamFolder(data, app), join(data, 'aside'))],
  ])(
    '%s: the lines that were being written are refused, the next ones kept, and the loss is told',
    async (_, act) => {
      const { data } = movableFolder();
      const server = await startServer({ data });
      const app = await server.createApp();
      await pushLines(server, app.token, numberedMessages(10));
      act(data, app);
      // On a slow machine the server may have looked in between: then the line is in a new file.
      const { status, text } = await postLogs(server, app.token, logplexBody(['next']));
      const isStored = status === 204;
      if (!isStored) expect([status, text]).toEqual([503, expect.stringMatching(/was removed meanwhile/)]);
      await pushLines(server, app.token, numberedMessages(10, 'after'));
      const { status: healthStatus, body } = await server.health();
      expect(healthStatus).toBe(503);
      expect(body.message).toMatch(/was removed or moved while tailrace used it/);
      expect(said(server, /was removed or moved while tailrace used it/)).toHaveLength(1);
      const doctor = await runTailrace(['doctor', '--no-color'], { env: server.env });
      expect(doctor.stdout).toMatch(/✗ store .*was removed or moved while tailrace used it/);
      await server.kill();
      const next = await startServer({ data });
      const messages = (await next.readMessages(app)).filter((message) =>
        /^(line|after|next) ?/.test(message),
      );
      expect(messages.slice(-10)).toEqual(numberedMessages(10, 'after'));
      expect(messages.filter((message) => message === 'next')).toHaveLength(isStored ? 1 : 0);
      const { status: nextHealth } = await next.health();
      expect(nextHealth).toBe(200);
    },
  );

  it('is replaced by a copy: lines that would be written to the other one are refused, and the copy counts', async () => {
    const { data } = movableFolder();
    const server = await startServer({ data });
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    renameSync(streamFolder(data, app), join(data, 'aside'));
    cpSync(join(data, 'aside'), streamFolder(data, app), { recursive: true });
    expect((await postLogs(server, app.token, logplexBody(['refused']))).status).toBe(503);
    await pushLines(server, app.token, numberedMessages(10, 'after'));
    await until('the health', async () => (await server.health()).status === 200);
    await server.kill();
    const next = await startServer({ data });
    const messages = (await next.readMessages(app)).filter((message) =>
      /^(line|after|refused)/.test(message),
    );
    expect(messages).toEqual([...numberedMessages(10), ...numberedMessages(10, 'after')]);
  });

  it('is removed when nobody writes to it: /health says so', async () => {
    const { data } = movableFolder();
    const server = await startServer({ data });
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    const [name] = readdirSync(streamFolder(data, app));
    renameSync(join(streamFolder(data, app), name), join(data, 'aside'));
    await until('the health', async () => (await server.health()).status === 503);
    renameSync(join(data, 'aside'), join(streamFolder(data, app), name));
    await until('the health', async () => (await server.health()).status === 200);
  });
});

describe('the disk with the data folder, while the server runs,', () => {
  /** A disk of its own; undefined when this machine doesn't let us have one. */
  function mountedFolder(): string | undefined {
    const { data } = movableFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tailrace-test', data], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    onTestFinished(() => {
      for (let i = 0; i < 2; i++)
        try {
          execFileSync('umount', ['-l', data], { stdio: 'ignore' });
        } catch {
          // it isn't mounted any more
        }
    });
    return data;
  }

  it.each<[string, RegExp, (data: string) => void, ((data: string) => void) | undefined]>([
    ['is unmounted', /was replaced|is gone/, (data) => execFileSync('umount', ['-l', data]), undefined],
    [
      'is hidden by another one',
      /hidden by a mount/,
      (data) => execFileSync('mount', ['-t', 'tmpfs', 'tailrace-test', data]),
      (data) => execFileSync('umount', ['-l', data]),
    ],
  ])('%s: nothing is acknowledged until it is back', async (_, pattern, act, undo) => {
    const data = mountedFolder();
    // As root there is one in CI.
    if (!data) return expect(process.env.CI).toBeUndefined();
    const server = await startServer({ data });
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    act(data);
    await until('the health', async () => (await server.health()).status === 503);
    await expectRefusal(server, app, pattern);
    if (!undo) return;
    undo(data);
    await until('the health', async () => (await server.health()).status === 200);
    await pushLines(server, app.token, numberedMessages(10, 'after'));
    expect(await server.readMessages(app)).toEqual([
      ...numberedMessages(10),
      ...numberedMessages(10, 'after'),
    ]);
  });
});
