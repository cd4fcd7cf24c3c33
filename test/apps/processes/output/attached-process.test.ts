/** Processes at the other end of somebody's terminal or pipes: slow clients, clients that go, what a process leaves behind. */
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type AttachedProcess,
  type AttachedProcessOptions,
  spawnAttached,
} from '../../../../src/apps/processes/output/attached-process.ts';
import { until } from '../../../support/until.ts';

const MB = 1_048_576;

/** A client: how long it takes to read a chunk, ms; left out: it reads nothing. */
class Client extends Writable {
  private readonly chunks: Buffer[] = [];
  private readonly readMs: number | undefined;

  constructor(readMs?: number) {
    super({ highWaterMark: 1 });
    this.readMs = readMs;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    if (this.readMs !== undefined) setTimeout(done, this.readMs);
  }
}

describe.each([
  ['a terminal', { columns: 80, rows: 24 }],
  ['pipes', undefined],
] as const)('with %s', (_name, terminalSize) => {
  function start(
    command: string,
    output: Writable,
    input: Readable = new PassThrough(),
    more: Partial<AttachedProcessOptions> = {},
  ): AttachedProcess {
    const { PATH } = process.env;
    const attached = spawnAttached({
      command,
      cwd: '/',
      // Where its input is a socket, bash would read a .bashrc there.
      env: { PATH, HOME: '/nonexistent' },
      sandboxCommand: undefined,
      terminalSize,
      input,
      output,
      endsWithEot: false,
      ...more,
    });
    onTestFinished(() => end(-(attached.pid ?? 0)));
    return attached;
  }

  it('a slow client gets all that a process has written before it ended', async () => {
    const client = new Client(250);
    expect(await start('printf a; sleep 0.1; seq 1 2000; exit 3', client).status).toBe(3);
    await until('the rest', () => client.writableLength === 0);
    const numbers = Array.from({ length: 2_000 }, (_, i) => `${i + 1}\n`).join('');
    expect(client.text.replaceAll('\r', '')).toBe(`a${numbers}`);
  });

  it('ends when its client goes that had stopped reading', async () => {
    const client = new Client();
    const attached = start('yes', client);
    await until('it waits', () => client.writableNeedDrain);
    client.destroy();
    end(-(attached.pid ?? 0));
    expect(await attached.status).toBe(137);
  });

  it.each([
    ['holds them open', 'sleep 1000'],
    ['writes on and on', 'while :; do echo on; done'],
  ])('ends though something that it has left %s', async (_what, left) => {
    const client = new Client(0);
    const daemon = `setsid sh -c 'trap "" HUP; echo "<$$>"; ${left}' & until [ -e /proc/$!/cwd ]; do :; done; sleep 0.2; exit 5`;
    const { status } = start(daemon, client);
    expect(await status).toBe(5);
    const [, pid] = /<(\d+)>/.exec(client.text) ?? [];
    expect(Number(pid)).toBeGreaterThan(1);
    end(Number(pid));
  });

  it('has only so much of its input waiting in the server as it may leave unread', async () => {
    let sent = 0;
    const input = new Readable({
      highWaterMark: 65_536,
      read() {
        this.push(sent < 64 * MB ? Buffer.alloc(65_536, 'a line\n') : null);
        sent += 65_536;
      },
    });
    const attached = start('stty raw -echo 2>/dev/null; echo ready; sleep 1000', new Client(0), input);
    await until('its input waits', () => input.isPaused());
    expect(sent).toBeLessThan(8 * MB);
    end(-(attached.pid ?? 0));
    expect(await attached.status).toBe(137);
    // Its client is read again: else nobody would see that it goes.
    await until('its input goes on', () => !input.isPaused());
  });

  it('gets bytes as they were sent, whatever they are', async () => {
    const [client, input] = [new Client(0), new PassThrough()];
    const { status } = start(
      'stty raw -echo 2>/dev/null; echo ready; head -c 6 | od -An -tx1',
      client,
      input,
    );
    await until('it reads', () => client.text.includes('ready'));
    input.write(Buffer.from([0x80, 0xff, 0x00, 0xe9, 0xc3]));
    input.write(Buffer.from([0xa9]));
    expect(await status).toBe(0);
    expect(client.text).toContain('80 ff 00 e9 c3 a9');
  });

  it('has no window any more when it has ended', async () => {
    const attached = start('exit 0', new Client(0));
    expect(await attached.status).toBe(0);
    expect(() => attached.resize(100, 30)).not.toThrow();
  });
});

/** Kills a process, or a group (negative), if it is still there. */
function end(pid: number): void {
  try {
    if (pid !== 0) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
