import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTailrace } from '../support/program.ts';
import { dataFolderForTest } from '../support/server.ts';

const PORTS = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };

/** What `tailrace start` says in a folder with these files: one sentence, and 1. */
async function refusal(files: Record<string, string>, ...args: string[]): Promise<string> {
  const folder = join(dataFolderForTest(), 'some-app');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { status, stdout, stderr } = await runTailrace(['start', ...args], { cwd: folder, env: PORTS });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
  return stderr;
}

describe('tailrace start', () => {
  it.each<[string, Record<string, string>, string[], RegExp]>([
    ['no Procfile', {}, [], /no Procfile in \/.*some-app.*web: node server\.js/],
    ['another Procfile that isn’t there', {}, ['-f', 'Procfile.dev'], /no Procfile\.dev/],
    ['a line that can’t be read', { Procfile: 'web: node x\nwhat is this\n' }, [], /Procfile line 2/],
    [
      'a type twice',
      { Procfile: 'web: a\n\nweb: b\n' },
      [],
      /Procfile line 3: "web" is already defined on line 1/,
    ],
    ['an empty Procfile', { Procfile: '# nothing\n' }, [], /Procfile line 1/],
    ['a bad .env', { Procfile: 'web: a', '.env': 'A=1\nnot an assignment\n' }, [], /line 2/],
    ['an .env that isn’t there', { Procfile: 'web: a' }, ['-e', 'other.env'], /no other\.env/],
    [
      'an .env that is a folder',
      { Procfile: 'web: a' },
      ['-e', '/usr'],
      /\/usr is no file: name a file with lines such as KEY=value/,
    ],
    [
      'an unknown type',
      { Procfile: 'web: a\nworker: b' },
      ['clock'],
      /no process type "clock"; it has: web, worker/,
    ],
    [
      'a Procfile that is a folder',
      {},
      ['-f', '/'],
      /\/ is no file: write one with a line for each process type/,
    ],
    ['a device as Procfile', {}, ['-f', '/dev/null'], /\/dev\/null is no file/],
    ['a count of an unknown type', { Procfile: 'web: a' }, ['-m', 'clock=1'], /clock/],
    ['a count that is none', { Procfile: 'web: a' }, ['-m', 'web=lots'], /web=lots|lots/],
    ['a name that can’t be one', { Procfile: 'web: a' }, ['-a', 'No Such Name'], /No Such Name/],
  ])('%s', async (_name, files, args, said) => expect(await refusal(files, ...args)).toMatch(said));
});

describe('any command', () => {
  it.each([['logs'], ['ps'], ['drains'], ['apps'], ['log', 'x'], ['status'], ['auth:token']])(
    '%s without a server: how to start one',
    async (...args) => {
      const folder = dataFolderForTest();
      const { status, stderr } = await runTailrace(args, { cwd: folder, env: { HOME: folder } });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: No tailrace server is running here: [^\n]+\n$/);
    },
  );

  it('with an unreachable server: an error that names it', async () => {
    const env = { TAILRACE_URL: 'http://127.0.0.1:9', TAILRACE_API_KEY: 'k.x' };
    for (const args of [
      ['ps', '-a', 'x'],
      ['logs', '-a', 'x'],
      ['logs', '-a', 'x', '--tail'],
    ]) {
      const { status, stderr } = await runTailrace(args, { env });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: The server at http:\/\/127\.0\.0\.1:9 doesn't answer[^\n]*\n$/);
    }
  });

  it.each<[string[], RegExp]>([
    [['ps', '-a', 'x'], /TAILRACE_URL is "nonsense": it must be an address such as http:/],
    [['ship', '-t', 't.x', '--', 'true'], /TAILRACE_URL is "nonsense"/],
  ])('%j with an invalid TAILRACE_URL: an error that names it', async (args, said) => {
    const env = { TAILRACE_URL: 'nonsense', TAILRACE_API_KEY: 'k.x' };
    const { status, stderr } = await runTailrace(args, { env });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
    expect(stderr).toMatch(said);
  });

  it.each<[string[], RegExp]>([
    [['ship', '-t', 't.x'], /Say what to ship: a command after --/],
    [['ship', '-t', 't.x', '--follow'], /Say what to ship/],
    [
      ['ship', '-t', 't.x', '--follow', '/usr'],
      /\/usr is a folder: name files in it, such as \/usr\/\*\.log/,
    ],
    [['ps', '-a', ''], /--app is empty: name the app/],
    [['restart', '', '-a', 'x'], /A name is empty: say which one is meant/],
    [['rollback', '', '-a', 'x'], /A name is empty/],
    [['domains:remove', '..', '-a', 'x'], /"\.\." is no name: say which one is meant/],
    [['scale', '-a', 'x', 'web=-1'], /"web=-1" scales nothing: write it like web=2/],
    [['migrate', '--from', '/nowhere-at-all', '--to', '/tmp'], /There is no store in \/nowhere-at-all/],
    [
      ['ship', '-t', 't.x', '--spool', '/proc/nowhere/a', '--', 'true'],
      /can't be kept in \/proc\/nowhere\/a \([^)]+\): give --spool/,
    ],
  ])('%j: one sentence', async (args, said) => {
    const env = { TAILRACE_URL: 'http://127.0.0.1:9', TAILRACE_API_KEY: 'k.x' };
    const { status, stderr } = await runTailrace(args, { env });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
    expect(stderr).toMatch(said);
  });

  it.each(['k.one\nk.two', 'k.ключ'])(
    'with a key that is none (%j): a sentence that says so',
    async (key) => {
      const env = { TAILRACE_URL: 'http://127.0.0.1:9', TAILRACE_API_KEY: key };
      const { status, stderr } = await runTailrace(['ps', '-a', 'x'], { env });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: TAILRACE_API_KEY has a line break, [^\n]+\n$/);
      // What ends a file isn't the key's.
      env.TAILRACE_API_KEY = 'k.one\r\n';
      expect((await runTailrace(['ps', '-a', 'x'], { env })).stderr).toContain('ECONNREFUSED');
    },
  );

  it.each<[string[], string, string]>([
    [['lgos'], "Unknown command 'lgos'. Did you mean logs?", 'tailrace [options] [command]'],
    [['help', 'lgos'], "Unknown command 'lgos'. Did you mean logs?", 'tailrace [options] [command]'],
    [['lgos', '--help'], "Unknown command 'lgos'. Did you mean logs?", 'tailrace [options] [command]'],
    [['logs', '--tial'], "Unknown option '--tial'. Did you mean --tail?", 'tailrace logs'],
    [['drains:add'], "Missing required argument 'url'.", 'tailrace drains:add [options] <url>'],
    [
      ['sources:add', '--port', '7'],
      "Required option '-s, --source <name>' not specified.",
      'tailrace sources:add [options]',
    ],
  ])('%j: one sentence, and the usage', async (args, said, usage) => {
    const { status, stdout, stderr } = await runTailrace(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    const [error, below, ...rest] = stderr.split('\n');
    expect(error).toBe(` ›   Error: ${said}`);
    expect(below.startsWith(`     Usage: ${usage}`), below).toBe(true);
    expect(rest).toEqual(['']);
  });

  it('help with a command’s name: that command’s help', async () => {
    const { status, stdout } = await runTailrace(['help', 'drains:add']);
    expect(status).toBe(0);
    expect(stdout).toContain('Usage: tailrace drains:add');
  });

  it.each([[['help', 'help']], [['help', '--help']]])('%j: only the help of help', async (args) => {
    const { status, stdout } = await runTailrace(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: tailrace help .*\[command\]\n/);
    expect(stdout).not.toContain('drains:add');
  });

  it('help alone, or before an option: all commands', async () => {
    const all = await runTailrace(['--help']);
    expect(all.stdout).toMatch(/^ {2}help .*\[command\] /m);
    expect(await runTailrace(['help'])).toEqual(all);
    expect((await runTailrace(['help', 'logs', '--tail'])).stdout).toContain('Usage: tailrace logs');
  });

  it('--help and --version', async () => {
    expect(await runTailrace(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(await runTailrace(['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('drains:add'),
    });
  });
});
