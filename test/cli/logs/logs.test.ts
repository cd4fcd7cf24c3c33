import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  missing,
  Program,
  type ProgramOptions,
  runProgram,
  runTailrace,
  TAILRACE,
} from '../../support/program.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
  temporaryFolder,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let app: App;

beforeAll(async () => {
  server = await startServer();
  app = await server.createApp('shop');
  await pushLines(server, app.token, [
    ...numberedMessages(300),
    'ERROR: kaputt',
    'two\nlines',
    '\x1b[35mviolet\x1b[0m',
  ]);
});
afterAll(() => server.close());

function logs(args: readonly string[], options: ProgramOptions = {}): ReturnType<typeof runTailrace> {
  return runTailrace(['logs', ...args], { ...options, env: { ...server.env, ...options.env } });
}

function follow(args: readonly string[], env: Record<string, string> = server.env): Program {
  const program = new Program(process.execPath, [TAILRACE, 'logs', ...args], { env });
  onTestFinished(async () => {
    await program.stop('SIGKILL');
  });
  return program;
}

function messages(stdout: string): string[] {
  return stdout
    .split(/\n(?! )/)
    .filter(Boolean)
    .map((line) => line.slice(line.indexOf(']: ') + 3));
}

/** Runs a command line in a terminal of its own; returns its output. */
async function inTerminal(command: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await runProgram('script', ['-qec', command, '/dev/null'], {
    env: { ...server.env, TERM: 'xterm-256color', ...env },
  });
  return stdout;
}

const COMMAND = `${process.execPath} ${TAILRACE}`;

describe('tailrace logs', () => {
  it('prints the last hundred lines, those of one message together', async () => {
    const { status, stdout, stderr } = await logs([]);
    expect(status).toBe(0);
    expect(stderr).toBe('');
    const shown = messages(stdout);
    expect(shown).toHaveLength(100);
    expect(shown.slice(-4)).toEqual(['line 299', 'ERROR: kaputt', 'two\n    lines', 'violet']);
    expect(stdout).not.toContain('\x1b');
  });

  it.each([
    [
      ['-n', '2', '-q', '"line "'],
      ['line 298', 'line 299'],
    ],
    [
      ['-q', 'line 29 -298', '--level', 'info', '-n', '2'],
      ['line 297', 'line 299'],
    ],
    [['--level', 'error'], ['ERROR: kaputt']],
    [
      ['-q', '/^line 1?0$/'],
      ['line 0', 'line 10'],
    ],
    [['--query', '"two\nlines"'], ['two\n    lines']],
    [['--since', '1h', '-n', '1'], ['violet']],
    [['--until', '1h'], []],
    [['--source', 'heroku'], []],
    [['--dyno', 'web', '-n', '1'], ['violet']],
    [['-p', 'web.1', '-n', '1'], ['violet']],
  ])('%j', async (args, wanted) => {
    const { status, stdout } = await logs(args);
    expect(status).toBe(0);
    expect(messages(stdout)).toEqual(wanted);
  });

  it('prints all lines with --since', async () => {
    expect(messages((await logs(['--since', '10m'])).stdout)).toHaveLength(303);
  });

  it('takes levels and counts as people write them', async () => {
    const errors = (await logs(['--level', 'error', '-n', '3'])).stdout;
    for (const level of ['ERROR', 'err', 'errors', 'fatal', 'critical'])
      expect((await logs(['-l', level, '--lines', '3'])).stdout).toBe(errors);
    expect(await logs(['-n', '0'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('prints JSON with every field, one object a line', async () => {
    const { stdout } = await logs(['--json', '-n', '2']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ message }) => message)).toEqual(['two\nlines', '\x1b[35mviolet\x1b[0m']);
    expect(stdout).not.toContain('\x1b');
    expect(lines[0]).toMatchObject({ source: 'app', dyno: 'web.1', level: 'info', severity: 6 });
  });

  it.each([
    [['-q', '/(/'], /not a regular expression/],
    [['--level', 'loud'], /Allowed choices are error, warn, info, debug/],
    [['-n', 'many'], /must be a number of lines/],
    [['-n', '1000000000'], /99999999 at the most/],
    [['--since', 'soon'], /"soon" is no time: write/],
    [['-a', 'nothing'], /Couldn't find that app: nothing\.$/m],
    [['-a', 'nothing', '--tail'], /Couldn't find that app: nothing\.$/m],
    [['--tail', '--until', '1h'], /can't be used with tail/],
  ])('%j ends with 1 and one sentence', async (args, sentence) => {
    const { status, stdout, stderr } = await logs(args);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(sentence);
    // Errors of options have the usage below.
    expect(
      stderr
        .trimEnd()
        .replace(/\n {5}Usage: .*/, '')
        .split('\n'),
    ).toHaveLength(1);
  });

  it.each([
    [{ TAILRACE_API_KEY: 'wrong' }, /Invalid credentials/],
    [{ TAILRACE_URL: 'http://127.0.0.1:1' }, /doesn't answer \(ECONNREFUSED\)/],
  ])('reports what is wrong with %j', async (env, sentence) => {
    const { status, stderr } = await logs(['-a', 'shop', '--tail'], { env });
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
  });

  it('ends quietly when the pipe is closed', async () => {
    const script = `${COMMAND} logs --since 1h | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await runProgram('bash', ['-c', script], { env: server.env });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0');
    expect(messages(stdout).slice(0, 2)).toEqual(['line 0', 'line 1']);
    expect(stderr).toBe('');
    // Also when lines go on coming.
    const tail = new Program('bash', ['-c', `${COMMAND} logs -n 5 --tail | head -n 3`], { env: server.env });
    onTestFinished(async () => {
      await tail.stop('SIGKILL');
    });
    await tail.waitForOutput(/line 29[\s\S]*\n[\s\S]*\n[\s\S]*\n/);
    await until('the end of the pipe', async () => {
      await pushLines(server, app.token, ['level=debug one more']);
      return tail.hasExited;
    });
    expect(tail.stderr).toBe('');
  });

  // Linux and macOS: pipes of others can't be asked.
  it.each([[['--tail']], [['--all', '--tail', '--json']]])(
    'ends when the pipe is closed, also while no other line comes: %j',
    async (flags) => {
      const script = `${COMMAND} logs -n 2 ${flags.join(' ')} | head -n 1; echo "ended \${PIPESTATUS[0]}"`;
      const tail = new Program('bash', ['-c', script], { env: server.env });
      onTestFinished(async () => {
        await tail.stop('SIGKILL');
      });
      await tail.waitForOutput(/ended 0/);
      expect(tail.stderr).toBe('');
    },
  );

  it('stays with --tail, until Ctrl-C ends it with 130', async () => {
    const tail = follow(['--tail', '-n', '0', '-q', 'fresh']);
    await until('the first line', async () => {
      await pushLines(server, app.token, ['fresh one', 'stale']);
      return tail.stdout !== '';
    });
    expect(new Set(messages(tail.stdout))).toEqual(new Set(['fresh one']));
    expect((await tail.stop('SIGINT')).status).toBe(130);
  });
});

describe.skipIf(missing('script'))('in a terminal', () => {
  it('has a color for each dyno, and keeps the message’s own', async () => {
    const shown = await inTerminal(`${COMMAND} logs -q violet`);
    expect(shown).toMatch(/\x1b\[36mapp\[web\.1\]:\x1b\[0m \x1b\[35mviolet\x1b\[0m/);
  });

  it.each([
    ['--no-color', {}],
    ['', { NO_COLOR: '1' }],
    ['--json', {}],
  ])('has none with %j %j', async (option, env: Record<string, string>) => {
    // On a slow machine stderr has the progress.
    const shown = await inTerminal(`${COMMAND} logs -q violet ${option} 2>/dev/null`, env);
    expect(shown).toContain('violet');
    expect(shown).not.toContain('\x1b[');
  });

  it('has colors in a pipe when they are forced', async () => {
    expect((await logs(['-q', 'violet'], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\x1b[36m');
  });
});

describe.skipIf(missing('tmux'))('a message', () => {
  it('can’t control the terminal', async () => {
    const evil = await server.createApp('evil');
    await pushLines(server, evil.token, [
      'the first line',
      '\x1b]0;OWNED\x07\x1b]2;OWNED\x1b\\ sets the title',
      '\x1b[2J\x1b[H clears the screen',
      '\x1bc resets it',
      '\x1b[?1049h\x1b[?25l\x1b[8m hides',
      '\u009b2J\u009d0;OWNED\u009c with eight bits',
      'honest\rFORGED over the line',
      'next\n2026-01-01T00:00:00.000000+00:00 app[web.1]: FORGED as a line',
      '\x1bP+q544e\x1b\\\x05\x1b[6n\x1b[c asks for an answer',
      'the last line',
    ]);
    const socket = join(temporaryFolder(), 'tmux');
    const tmux = (...args: string[]) => runProgram('tmux', ['-S', socket, '-f', '/dev/null', ...args]);
    onTestFinished(async () => {
      await tmux('kill-server');
    });
    const env = Object.entries({ ...server.env, LANG: 'C.UTF-8' }).flatMap(([name, value]) => [
      '-e',
      `${name}=${value}`,
    ]);
    const command = `${COMMAND} logs -a evil; read typed; echo "typed=[$typed]"; exec cat`;
    await tmux('new-session', '-d', '-x', '160', '-y', '40', ...env, command);
    const screen = async (): Promise<string> => (await tmux('capture-pane', '-p')).stdout;
    await until('the last line', async () => (await screen()).includes('the last line'));
    const shown = await screen();
    expect(shown).toContain('the first line');
    expect(shown).toContain('\\x1b[2J\\x1b[H clears the screen');
    expect(shown).toContain('honest\\x0dFORGED');
    expect(shown).toMatch(/^ {4}2026-01-01T00:00:00/m);
    const title = await tmux('display-message', '-p', '#{pane_title} #{alternate_on} #{cursor_flag}');
    expect(title.stdout).not.toContain('OWNED');
    expect(title.stdout.trim().endsWith('0 1')).toBe(true);
    // Nothing that the terminal would have answered was typed into the shell.
    await tmux('send-keys', 'Enter');
    await until('the shell', async () => (await screen()).includes('typed=[]'));
  });
});

describe('a lost connection', () => {
  it('is reported on stderr, and no line is missed or duplicated', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const port = new URL(first.url).port;
    const own = await first.createApp('steady');
    await pushLines(first, own.token, numberedMessages(10));
    const tail = follow(['-a', 'steady', '--tail', '-n', '5'], first.env);
    await tail.waitForOutput(/line 9\n/);
    await pushLines(first, own.token, numberedMessages(20, 'line', 10));
    await first.kill();
    await until('the note', () => /connection lost \(.+\); reconnecting/.test(tail.stderr));
    const second = await startServerForTest({ data, env: { TAILRACE_HTTP_PORT: port } });
    await pushLines(second, own.token, numberedMessages(20, 'line', 30));
    await tail.waitForOutput(/line 49\n/);
    expect(messages(tail.stdout)).toEqual(numberedMessages(45, 'line', 5));
    expect(tail.stderr).toMatch(/reconnecting\n.*connected again\n$/);
  });

  it('ends with the reason when its key is revoked', async () => {
    const { id, access_token } = await server.request<{ id: string; access_token: { token: string } }>(
      'POST',
      '/oauth/authorizations',
      { description: 'for a moment', scope: ['read'] },
    );
    const env = { ...server.env, TAILRACE_API_KEY: access_token.token };
    const tail = follow(['-a', 'shop', '-n', '1', '--tail'], env);
    await tail.waitForOutput(/ app\[/);
    await server.request('DELETE', `/oauth/authorizations/${id}`);
    await tail.exited;
    expect(tail.child.exitCode).toBe(1);
    expect(tail.stderr).toMatch(/^ › {3}Error: .*(key|credentials)/);
  });

  it('goes on with the app that it was, whatever is called so by then, and ends when that is gone', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const port = new URL(first.url).port;
    const own = await first.createApp('ours');
    await pushLines(first, own.token, ['one']);
    const tail = follow(['-a', 'ours', '--tail'], first.env);
    await tail.waitForOutput(/one\n/);
    await first.request('PATCH', '/apps/ours', { name: 'renamed' });
    const theirs = await first.createApp('ours');
    await pushLines(first, own.token, ['two']);
    await tail.waitForOutput(/two\n/);
    await first.kill();
    await until('the note', () => /connection lost/.test(tail.stderr));
    const second = await startServerForTest({ data, env: { TAILRACE_HTTP_PORT: port } });
    await pushLines(second, theirs.token, numberedMessages(5, 'of another app'));
    await pushLines(second, own.token, ['three']);
    await tail.waitForOutput(/three\n/);
    expect(messages(tail.stdout)).toEqual(['one', 'two', 'three']);
    await second.request('DELETE', '/apps/renamed');
    await tail.exited;
    expect(tail.child.exitCode).toBe(1);
    expect(tail.stderr).toContain("Couldn't find that app: ours.");
  });

  it('ends when the app is destroyed', async () => {
    const gone = await server.createApp('gone');
    const tail = follow(['-a', 'gone', '--tail']);
    await pushLines(server, gone.token, ['hello']);
    await tail.waitForOutput(/hello/);
    expect((await tail.stop('SIGTERM')).status).toBe(143);
  });
});

describe('--all', () => {
  it('shows all apps sorted by time, prefixed with their names, and new ones', async () => {
    const own = await startServerForTest();
    const none = await runTailrace(['logs', '--all'], { env: own.env });
    expect(none.status).toBe(1);
    expect(none.stderr).toMatch(/There is no app yet/);
    const early = await own.createApp('early');
    const late = await own.createApp('late');
    await pushLines(own, early.token, ['one']);
    await pushLines(own, late.token, ['two\nparts']);
    await pushLines(own, early.token, ['three']);
    const { stdout, status } = await runTailrace(['logs', '--all'], { env: own.env });
    expect(status).toBe(0);
    expect(stdout.replace(/ \| \S+ app\S+: /g, ' | ')).toContain('early | one\nearly | three\n');
    expect(stdout).toMatch(/^late {2}\| .*: two\nlate {2}\| {5}parts$/m);
    const few = await runTailrace(['logs', '--all', '--json', '-n', '2'], { env: own.env });
    expect(few.stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(JSON.parse(few.stdout.split('\n')[0])).toHaveProperty('app');
    const tail = follow(['--all', '--tail', '-n', '1'], own.env);
    await tail.waitForOutput(/ \| /);
    const newer = await own.createApp('newer');
    await pushLines(own, newer.token, ['hello']);
    await pushLines(own, late.token, ['four']);
    await tail.waitForOutput(/newer \| .*: hello\n/);
    await tail.waitForOutput(/late {2}\| .*: four\n/);
    // One that is renamed is no new one, whose lines would come again.
    await own.request('PATCH', '/apps/late', { name: 'later' });
    const newest = await own.createApp('newest');
    await pushLines(own, newest.token, ['once more apps were asked for']);
    await tail.waitForOutput(/newest \| .*: once more apps/);
    await pushLines(own, late.token, ['five']);
    await tail.waitForOutput(/later {2}\| .*: five\n/);
    expect(tail.stdout.match(/: (?:one|four|five)$/gm)).toEqual([': four', ': five']);
    for (let i = 0; i < 12; i++) await own.createApp(`more-${i}`);
    const many = await runTailrace(['logs', '--all'], { env: own.env });
    // Such as Node.js' warning of more than ten listeners.
    expect(many).toMatchObject({ status: 0, stderr: '' });
  });
});

it('writes the same to a file, whatever the size', async () => {
  const big = await server.createApp('big');
  for (let i = 0; i < 40; i++) await pushLines(server, big.token, numberedMessages(2_500, 'line', i * 2_500));
  const file = join(temporaryFolder(), 'out');
  const { status } = await runProgram('bash', ['-c', `${COMMAND} logs -a big --since 1h > ${file}`], {
    env: server.env,
  });
  expect(status).toBe(0);
  expect(messages(readFileSync(file, 'utf8'))).toEqual(numberedMessages(100_000));
  const { stdout } = await runProgram('bash', ['-c', `${COMMAND} logs -a big -n 100000 | (sleep 1; wc -l)`], {
    env: server.env,
  });
  expect(stdout.trim()).toBe('100000');
});
