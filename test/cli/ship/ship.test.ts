import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { expectSameLines } from '../../support/expect-same-lines.ts';
import { Program, runProgram, runTailrace, TAILRACE } from '../../support/program.ts';
import { HttpReceiver } from '../../support/receivers/receivers.ts';
import { numberedMessages } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-ship-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const arrived = (app: App, count: number): Promise<string[]> =>
  until(`${count} lines`, async () => {
    const messages = await server.readMessages(app);
    return messages.length >= count && messages;
  });

describe('ship -- COMMAND', () => {
  it('ships stdout and stderr, exits with the command’s code, creates the source’s token', async () => {
    const app = await server.createApp();
    const script = 'for i in 1 2 3; do echo "out $i"; done; echo err >&2; printf "no newline"; exit 7';
    const ended = await runTailrace(
      ['ship', '-a', app.name, '-s', 'batch', '-d', 'job.1', '--tee', '--', 'sh', '-c', script],
      { env: server.env },
    );
    expect(ended.status).toBe(7);
    expect(ended.stdout).toBe('out 1\nout 2\nout 3\nno newline\n');
    expect(ended.stderr).toBe('err\n');
    const lines = await server.readLines(app);
    expect(lines.every((line) => line.includes(' batch[job.1]: '))).toBe(true);
    const messages = await server.readMessages(app);
    expect(messages.filter((message) => message !== 'err')).toEqual([
      'out 1',
      'out 2',
      'out 3',
      'no newline',
    ]);
    expect(messages).toContain('err');
  });

  it('needs only a token; forwards signals to the command', async () => {
    const app = await server.createApp();
    const script = 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
    const program = new Program(process.execPath, [TAILRACE, 'ship', '--', 'sh', '-c', script], {
      env: { TAILRACE_URL: server.url, TAILRACE_TOKEN: app.token },
    });
    await arrived(app, 1);
    expect((await program.stop('SIGTERM')).status).toBe(3);
    expect(await server.readLines(app)).toEqual([
      expect.stringContaining(' app[sh]: ready'),
      expect.stringContaining(' app[sh]: bye'),
    ]);
  });

  it('a router that fails at first gets everything once it works; what doesn’t fit meanwhile is reported as L12', async () => {
    const receiver = await new HttpReceiver().listen();
    onTestFinished(() => receiver.close());
    let open = false;
    receiver.plan = () => (open ? 204 : 503);
    const program = new Program(
      process.execPath,
      [TAILRACE, 'ship', '--buffer', '1', '--', 'sh', '-c', 'yes 0123456789 | head -n 200000; read x'],
      { env: { TAILRACE_URL: `http://127.0.0.1:${receiver.port}`, TAILRACE_TOKEN: 't.x' } },
    );
    await until('trouble', () => program.stderr.includes('takes no lines (status 503)'));
    await until('some attempts', () => receiver.requests.length > 3);
    open = true;
    await until('the report', () =>
      receiver.acceptedMessages().some((message) => message.startsWith('Error L12: ')),
    );
    program.child.stdin.end();
    const { stderr } = await program.exited;
    const accepted = receiver.acceptedMessages();
    const dropped = accepted.reduce(
      (sum, message) => sum + Number(/^Error L12: (\d+)/.exec(message)?.[1] ?? 0),
      0,
    );
    expect(accepted.filter((message) => message === '0123456789').length + dropped).toBe(200_000);
    expect(stderr).toContain('lines were dropped (L12)');
  });

  it.each([
    [['ship', '--', '/no/such/program'], "can't be started (ENOENT)"],
    [['ship', '--token', 'x', '--', 'true'], 'The token must be one'],
    [['ship', '--buffer', '0', '--token', 't.x', '--', 'true'], '--buffer 0 must be'],
    [['ship', '--batch', 'x', '--token', 't.x', '--', 'true'], '--batch x must be'],
    [['ship', '--wait', '5', '--token', 't.x', '--', 'true'], '--wait: "5" has no unit: write 5s'],
    [['ship', '--wait', '61s', '--token', 't.x', '--', 'true'], '--wait 61s must be 60s at the most'],
    [
      ['ship', '--spool', '/dev/null/x', '--token', 't.x', '--', 'true'],
      "can't be kept in /dev/null/x (ENOTDIR)",
    ],
    [['ship'], 'Say what to ship: a command after --'],
  ])('%j: one sentence', async (args, sentence) => {
    const ended = await runTailrace(args, {
      env: { ...server.env, TAILRACE_TOKEN: args.includes('--token') ? undefined : 't.x' },
    });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(sentence);
    expect(ended.stderr).not.toContain('    at ');
  });
});

describe('ship --follow', () => {
  it('follows files through rotation and truncation, and loses nothing', async () => {
    const app = await server.createApp();
    const folder = folderForTest();
    const file = join(folder, 'a.log');
    const late = join(folder, 'late.log');
    writeFileSync(file, 'old\n');
    const program = new Program(
      process.execPath,
      [TAILRACE, 'ship', '-a', app.name, '--follow', file, late],
      { env: { ...server.env, XDG_STATE_HOME: folder } },
    );
    onTestFinished(async () => void (await program.stop('SIGKILL')));
    await until('the wait for the second file', () => program.stderr.includes("late.log can't be read yet"));
    // The first file is at its end by now, or it isn't: then what is written is what it begins with.
    await until('the beginning', async () => {
      appendFileSync(file, 'begin\n');
      return (await server.readMessages(app)).includes('begin');
    });
    appendFileSync(
      file,
      numberedMessages(100, 'one')
        .map((text) => `${text}\n`)
        .join(''),
    );
    renameSync(file, `${file}.1`);
    appendFileSync(`${file}.1`, 'after the rename\n');
    writeFileSync(
      file,
      numberedMessages(100, 'two')
        .map((text) => `${text}\n`)
        .join(''),
    );
    writeFileSync(late, 'late\n');
    await until('the new file', async () => (await server.readMessages(app)).includes('two 99'));
    truncateSync(file, 0);
    await until('the truncation', () => program.stderr.includes('was cut off'));
    appendFileSync(file, 'after the cut\nnot yet a line');
    await until('the last', async () => (await server.readMessages(app)).includes('after the cut'));
    await program.stop('SIGTERM');
    const own = (await server.readLines(app))
      .filter((line) => line.includes('app[a.log]: '))
      .map((line) => line.slice(line.indexOf(']: ') + 3));
    expect(own).not.toContain('old');
    expect(own.filter((text) => text !== 'begin')).toEqual([
      ...numberedMessages(100, 'one'),
      'after the rename',
      ...numberedMessages(100, 'two'),
      'after the cut',
    ]);
    expect(await server.readLines(app)).toContainEqual(expect.stringContaining(' app[late.log]: late'));
  });

  it('skips the hole that a writer leaves when its file is cut off, and says so', async () => {
    const app = await server.createApp();
    const folder = folderForTest();
    const file = join(folder, 'a.log');
    // A shell's `>` doesn't append: its offset stays where it was.
    const writer = spawn('sh', ['-c', 'cat > a.log'], { cwd: folder, stdio: ['pipe', 'ignore', 'inherit'] });
    onTestFinished(() => void writer.stdin.end());
    const beginning = `${'x'.repeat(99)}\n`.repeat(20_000);
    writer.stdin.write(`${beginning}begin\n`);
    await until('the file', () => existsSync(file) && statSync(file).size > beginning.length);
    const args = ['ship', '-a', app.name, '--from-start', '--follow', file];
    const env = { ...server.env, XDG_STATE_HOME: folder };
    const program = new Program(process.execPath, [TAILRACE, ...args], { env });
    onTestFinished(async () => void (await program.stop('SIGKILL')));
    await until('the beginning', async () => (await server.readMessages(app)).includes('begin'));
    for (const after of ['one', 'two']) {
      truncateSync(file, 0);
      writer.stdin.write(`${after}\n`);
      await until(after, async () => (await server.readMessages(app)).at(-1) === after);
    }
    await program.stop('SIGTERM');
    const messages = await server.readMessages(app, 'lines=1000');
    expect(messages.slice(messages.indexOf('begin'))).toEqual(['begin', 'one', 'two']);
    expect(program.stderr).toMatch(/2000006 NUL bytes of \S+ were skipped: nobody wrote them/);
  });

  it('killed again and again while the file grows and rotates, ships every line once', async () => {
    const app = await server.createApp();
    const folder = folderForTest();
    const file = join(folder, 'a.log');
    const env = { ...server.env, XDG_STATE_HOME: folder };
    const follow = () =>
      new Program(process.execPath, [TAILRACE, 'ship', '-a', app.name, '--wait', '5ms', '-f', file], { env });
    let written = 0;
    const write = (count: number): void => {
      const lines = numberedMessages(count, 'line', written);
      written += count;
      appendFileSync(file, lines.map((text) => `${text}\n`).join(''));
    };
    for (let round = 0; round < 5; round++) {
      const program = follow();
      onTestFinished(async () => void (await program.stop('SIGKILL')));
      if (round === 0) await until('the wait', () => program.stderr.includes("can't be read yet"));
      for (let i = 0; i < 20; i++) {
        write(97);
        await new Promise((resolve) => setImmediate(resolve));
      }
      // Some rounds end while batches are on their way, some while nothing is read yet.
      if (round % 2 === 0) await arrived(app, written - 1_000);
      await program.stop(round === 3 ? 'SIGTERM' : 'SIGKILL');
      write(100);
      renameSync(file, `${file}.${5 - round}`);
      write(100);
    }
    const last = follow();
    await arrived(app, written);
    await last.stop('SIGTERM');
    expectSameLines(await server.readMessages(app), numberedMessages(written));
  });

  it('reads a FIFO from one writer to the next, another one in its place, and ends with SIGTERM while nobody writes', async () => {
    const app = await server.createApp();
    const folder = folderForTest();
    const fifo = join(folder, 'app.fifo');
    await runProgram('mkfifo', [fifo]);
    const args = ['ship', '-a', app.name, '--follow', fifo, join(folder, 'a.log')];
    writeFileSync(join(folder, 'a.log'), '');
    const program = new Program(process.execPath, [TAILRACE, ...args], {
      env: { ...server.env, XDG_STATE_HOME: folder },
    });
    onTestFinished(async () => void (await program.stop('SIGKILL')));
    const sent: string[] = [];
    const say = async (command: string, ...lines: string[]): Promise<void> => {
      sent.push(...lines);
      expect((await runProgram('sh', ['-c', `${command} > app.fifo`], { cwd: folder })).status).toBe(0);
    };
    // What has no newline ends with its writer.
    await say('printf "one\\ntwo"', 'one', 'two');
    await until('the first writer', async () => (await server.readMessages(app)).length === 2);
    await say('seq -f "line %g" 20000', ...numberedMessages(20_000, 'line', 1));
    await say('echo three', 'three');
    await until('the third writer', async () => (await server.readMessages(app)).at(-1) === 'three');
    rmSync(fifo);
    await runProgram('mkfifo', [fifo]);
    await say('echo four', 'four');
    await until('the other FIFO', async () => (await server.readMessages(app)).at(-1) === 'four');
    // A file isn't held up by a FIFO that nobody writes to.
    appendFileSync(join(folder, 'a.log'), 'file\n');
    await until('the file', async () => (await server.readMessages(app)).at(-1) === 'file');
    expect(await server.readMessages(app, 'lines=30000')).toEqual([...sent, 'file']);
    // Lines that are in the FIFO when it ends are read.
    await say('echo last', 'last');
    expect((await program.stop('SIGTERM')).status).toBe(0);
    expect((await server.readMessages(app)).at(-1)).toBe('last');
    const piped = await runProgram(
      'bash',
      ['-c', `"$0" "$1" ship -a ${app.name} --follow <(echo piped)`, process.execPath, TAILRACE],
      { env: { ...server.env, XDG_STATE_HOME: folder } },
    );
    expect(piped).toMatchObject({ status: 0, stderr: '' });
    expect((await server.readMessages(app)).at(-1)).toBe('piped');
  });

  it('follows what a pattern names, also later: new files from their beginning, none twice when they are rotated', async () => {
    const app = await server.createApp();
    const folder = folderForTest();
    const logs = join(folder, 'logs');
    const env = { ...server.env, XDG_STATE_HOME: folder };
    const follow = () =>
      new Program(
        process.execPath,
        [TAILRACE, 'ship', '-a', app.name, '--max-files', '3', '--follow', join(logs, '*.log')],
        { env },
      );
    const program = follow();
    onTestFinished(async () => void (await program.stop('SIGKILL')));
    await until('the wait', () => program.stderr.includes('yet: waiting for files'));
    mkdirSync(logs);
    writeFileSync(join(logs, 'a.log'), 'a one\n');
    writeFileSync(join(logs, 'other.txt'), 'not asked for\n');
    await arrived(app, 1);
    renameSync(join(logs, 'a.log'), join(logs, 'a-2026-01-02.log'));
    writeFileSync(join(logs, 'a.log'), 'a two\n');
    writeFileSync(join(logs, 'b.log'), 'b one\n');
    await arrived(app, 3);
    await program.stop('SIGTERM');
    // What came while nobody looked is new as well; a name that is another's doesn't begin anew.
    appendFileSync(join(logs, 'b.log'), 'b two\n');
    writeFileSync(join(logs, 'c.log'), 'c one\n');
    const second = follow();
    onTestFinished(async () => void (await second.stop('SIGKILL')));
    await arrived(app, 5);
    for (const name of ['d.log', 'e.log']) writeFileSync(join(logs, name), '');
    await until('the limit', () => second.stderr.includes('names more than 3 files'));
    await second.stop('SIGTERM');
    expect((await server.readLines(app)).map((line) => line.replace(/^\S+ /, '')).sort()).toEqual([
      'app[a.log]: a one',
      'app[a.log]: a two',
      'app[b.log]: b one',
      'app[b.log]: b two',
      'app[c.log]: c one',
    ]);
  });

  it.each([
    [['/dev/null'], '/dev/null is a device or a socket: name a file or a FIFO.'],
    [['/tmp'], '/tmp is a folder: name files in it'],
    [['-', 'a.log'], '--follow takes files'],
    [['--max-files', '0', 'a.log'], '--max-files 0 must be a number of files'],
  ])('%j: one sentence', async (args, sentence) => {
    const ended = await runTailrace(['ship', '--token', 't.x', '--follow', ...args], { env: server.env });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(sentence);
  });

  it('two of the same file: the second names the process of the first', async () => {
    const folder = folderForTest();
    const env = { TAILRACE_URL: server.url, TAILRACE_TOKEN: 't.x', XDG_STATE_HOME: folder };
    const file = join(folder, 'a.log');
    const first = new Program(process.execPath, [TAILRACE, 'ship', '--follow', file], { env });
    onTestFinished(async () => void (await first.stop('SIGKILL')));
    await until('the wait', () => first.stderr.includes("can't be read yet"));
    const { status, stderr } = await runTailrace(['ship', '--follow', file], { env });
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`(process ${first.pid}) uses ${folder}`),
    });
  });
});

describe('ship --spool', () => {
  it('undelivered lines are sent by the next one, before its own', async () => {
    const app = await server.createApp();
    const spool = join(folderForTest(), 'spool');
    const away = { TAILRACE_URL: 'http://127.0.0.1:1', TAILRACE_TOKEN: app.token };
    const args = ['ship', '--spool', spool, '--batch', '10', '--'];
    const killed = new Program(process.execPath, [TAILRACE, ...args, 'sh', '-c', 'seq 1 95; read x'], {
      env: away,
    });
    const batches = (lines: number): number =>
      existsSync(spool) ? readdirSync(spool).filter((name) => name.includes(`-${lines}.`)).length : 0;
    await until('nine batches on disk', () => batches(10) === 9);
    await until('and what is left of the lines', () => batches(5) === 1);
    await killed.stop('SIGKILL');
    const env = { TAILRACE_URL: server.url, TAILRACE_TOKEN: app.token };
    expect((await runTailrace([...args, 'echo', 'own'], { env })).status).toBe(0);
    // What takes longer than two seconds, on a machine that is busy, is left to the next.
    await until('all of it is delivered', async () => {
      if (readdirSync(spool).length === 0) return true;
      await runTailrace([...args, 'true'], { env });
      return false;
    });
    expect(await server.readMessages(app)).toEqual([
      ...numberedMessages(95, '', 1).map((text) => text.trim()),
      'own',
    ]);
  });

  it('a revoked token loses nothing', async () => {
    const app = await server.createApp();
    const token = await server.addToken(app, 'job');
    await server.request('DELETE', `/apps/${app.name}/tokens/${token}`);
    const spool = join(folderForTest(), 'spool');
    const ended = await runTailrace(['ship', '--spool', spool, '--', 'sh', '-c', 'echo a; exit 4'], {
      env: { TAILRACE_URL: server.url, TAILRACE_TOKEN: token },
    });
    expect(ended.status).toBe(4);
    expect(ended.stderr).toContain('takes no lines (status 401)');
    expect(ended.stderr).toContain(`wait in ${spool}`);
    await runTailrace(['ship', '--spool', spool, '--', 'true'], {
      env: { TAILRACE_URL: server.url, TAILRACE_TOKEN: app.token },
    });
    expect(await server.readMessages(app)).toEqual(['a']);
  });
});

describe('ship -', () => {
  it.each([[[]], [['--follow']]])('ships stdin: %j', async (flags: string[]) => {
    const app = await server.createApp();
    const ended = await runTailrace(['ship', '-a', app.name, '--batch', '2', ...flags, '-'], {
      env: server.env,
      input: 'one\r\ntwo\n\nthree',
    });
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect((await server.readLines(app)).map((line) => line.replace(/^\S+ /, ''))).toEqual(
      ['one', 'two', '', 'three'].map((text) => `app[stdin]: ${text}`),
    );
  });
});
