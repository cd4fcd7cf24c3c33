import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCounterApp } from '../support/counter-app.ts';
import { GitRepository } from '../support/git-repository.ts';
import { missing, Program, runProgram, runTailrace, TAILRACE } from '../support/program.ts';
import { numberedMessages, pushLines } from '../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServer, startServerForTest } from '../support/server.ts';
import { until } from '../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

describe('commands about a running app', () => {
  it('ps, scale, restart: show and change what runs', async () => {
    const counter = await startCounterApp(['web']);
    expect((await counter.run('ps')).stdout).toMatch(
      /^=== web: node web\.mjs \(1\)\n\nweb\.1: up \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \+0000 \(~ [\d.]+ s ago\)\n$/,
    );
    expect(await counter.run('scale', 'web=2')).toMatchObject({
      status: 0,
      stdout: 'Scaling dynos... done, now running web=2\n',
    });
    await counter.program.waitForOutput(/app\[api\]: Scaled to web@2:Basic by user \S+/);
    await counter.program.waitForOutput(/heroku\[web\.2\]: State changed from starting to up/);
    expect(await counter.run('scale', 'web-1')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('web=1'),
    });
    expect((await counter.run('scale')).stdout).toBe('web=1\n');
    expect(await counter.run('restart', 'web.1')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('done'),
    });
    await counter.program.waitForOutput(
      /Restarting|State changed from up to starting|Process exited with status 0/,
    );
    for (const [args, said] of [
      [['scale', 'nothing=1'], 'nothing'],
      [['scale', 'web=many'], 'web=many'],
      [['restart', 'web.9'], "Couldn't find that dyno: web.9."],
    ] as const) {
      const { status, stderr } = await counter.run(...args);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
      expect(stderr).toContain(said);
    }
  });

  it('log: a message, or a pipe', async () => {
    const counter = await startCounterApp(['web']);
    expect(await counter.run('log', 'hello', 'there')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    await counter.program.waitForOutput(/app\[log\]: hello there\n/);
    const input = `${numberedMessages(3_000, 'piped').join('\n')}\n`;
    expect(
      await runProgram(process.execPath, [TAILRACE, 'log'], { cwd: counter.folder, input }),
    ).toMatchObject({
      status: 0,
    });
    await counter.program.waitForOutput(/app\[log\]: piped 2999\n/);
    const { stdout } = await counter.run('logs', '-n', '3000', '--dyno', 'log');
    expect(stdout.match(/piped \d+/g)).toEqual(numberedMessages(3_000, 'piped'));
    const unknown = await counter.run('log', '--source', 'nginx', 'x');
    expect(unknown).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('tokens:add --source nginx'),
    });
  });
});

describe('tailrace log', () => {
  it.each([
    ['in a pipe', 'a\n\n\nb\r\n\n', ['a', '', '', 'b', '']],
    ['alone', '\n', ['']],
    ['and the last line without its end', '\na', ['', 'a']],
  ])('keeps empty lines: %s', async (_name, input, expected) => {
    const app = await server.createApp();
    const log = ['log', '-a', app.name];
    expect(
      await runProgram(process.execPath, [TAILRACE, ...log], { env: server.env, cwd: '/', input }),
    ).toMatchObject({ status: 0 });
    expect(await server.readMessages(app)).toEqual(expected);
  });

  it('takes an empty message by hand', async () => {
    const app = await server.createApp();
    expect(
      await runProgram(process.execPath, [TAILRACE, 'log', '-a', app.name, ''], {
        env: server.env,
        cwd: '/',
      }),
    ).toMatchObject({ status: 0 });
    expect(await server.readMessages(app)).toEqual(['']);
  });
});

describe('tailrace logs', () => {
  async function appWithLines() {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(200));
    const logs = (...args: string[]) =>
      runProgram(process.execPath, [TAILRACE, 'logs', '-a', app.name, ...args], { env: server.env });
    return { app, logs };
  }

  it('-n, --source, --dyno, --json', async () => {
    const { app, logs } = await appWithLines();
    await pushLines(server, await server.tokenOf(app.name, 'heroku'), ['from heroku']);
    const said = async (...args: string[]) => (await logs(...args)).stdout.match(/line \d+|from heroku/g);
    expect(await said('-n', '5')).toEqual([...numberedMessages(4, 'line', 196), 'from heroku']);
    expect(await said('-n', '2', '--source', 'app')).toEqual(numberedMessages(2, 'line', 198));
    expect(await said('--source', 'heroku')).toEqual(['from heroku']);
    expect(await said('-n', '1', '--dyno', 'web')).toEqual(['from heroku']);
    expect(await said('--dyno', 'worker')).toBeNull();
    expect((await said())?.length).toBe(100);
    const json = JSON.parse((await logs('-n', '1', '--json')).stdout);
    expect(json).toMatchObject({ source: 'heroku', dyno: 'web.1', message: 'from heroku' });
  });

  it('--tail resumes after a restart of the server without gaps or duplicates', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data, env: { TAILRACE_HTTP_PORT: '0' } });
    const app = await first.createApp('rill');
    await pushLines(first, app.token, numberedMessages(10));
    const tail = new Program(process.execPath, [TAILRACE, 'logs', '-a', 'rill', '--tail'], {
      env: first.env,
    });
    onTestFinished(() => void tail.stop('SIGKILL'));
    await tail.waitForOutput(/line 9\n/);
    await pushLines(first, app.token, numberedMessages(10, 'line', 10));
    await first.kill();
    const port = new URL(first.url).port;
    const second = await startServerForTest({ data, env: { TAILRACE_HTTP_PORT: port } });
    await pushLines(second, app.token, numberedMessages(10, 'line', 20));
    await tail.waitForOutput(/line 29\n/);
    const { status, stdout, stderr } = await tail.stop('SIGINT');
    expect(stdout.match(/line \d+/g)).toEqual(numberedMessages(30));
    expect(status).toBe(130);
    expect(stderr).toContain('connection lost');
  });

  it('colors: none in a pipe, none with NO_COLOR or --no-color, the messages’ own neither', async () => {
    const { app, logs } = await appWithLines();
    await pushLines(server, app.token, ['\u001b[31mred\u001b[0m']);
    const coloured = async (env: Record<string, string>, ...args: string[]) => {
      const all = ['logs', '-a', app.name, '-n', '1', ...args];
      return (
        await runProgram(process.execPath, [TAILRACE, ...all], { env: { ...server.env, ...env } })
      ).stdout.includes('\u001b');
    };
    expect((await logs('-n', '1')).stdout).toMatch(/app\[web\.1\]: red\n$/);
    expect(await coloured({ FORCE_COLOR: '1' })).toBe(true);
    expect(await coloured({ FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false);
    expect(await coloured({ FORCE_COLOR: '1' }, '--no-color')).toBe(false);
  });

  it('`| head -1` ends it quietly', async () => {
    const { app } = await appWithLines();
    const script = `set -o pipefail; "$0" "$1" logs -a ${app.name} --tail -n 1000 | head -1`;
    const pipe = new Program('bash', ['-c', script, process.execPath, TAILRACE], { env: server.env });
    onTestFinished(() => void pipe.stop('SIGKILL'));
    await pipe.waitForOutput(/line 0\n/);
    // It notices the closed pipe with its next write.
    await until('its end', async () => {
      await pushLines(server, app.token, ['more']);
      return pipe.hasExited;
    });
    expect(await pipe.exited).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^[^\n]+line 0\n$/),
    });
  });

  it('errors: an unknown app, a wrong key, an invalid number', async () => {
    const { app: lines, logs } = await appWithLines();
    expect(await logs('-n', 'many')).toMatchObject({ status: 1 });
    for (const [app, env, said] of [
      ['nothing-here', server.env, "Couldn't find that app: nothing-here."],
      [lines.name, { ...server.env, TAILRACE_API_KEY: 'k.wrong' }, 'Invalid credentials'],
    ] as const) {
      const { status, stderr } = await runProgram(process.execPath, [TAILRACE, 'logs', '-a', app], { env });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ › {3}Error: [^\n]+\n$/);
      expect(stderr).toContain(said);
    }
  });
});

describe.skipIf(missing('curl'))('auth:token and tokens:add', () => {
  it('print the value alone, for scripts', async () => {
    const app = await server.createApp();
    const say = (...args: string[]) => runProgram(process.execPath, [TAILRACE, ...args], { env: server.env });
    expect((await say('auth:token')).stdout).toBe(`${server.key}\n`);
    const { stdout: token } = await say('tokens:add', '--source', 'nginx', '-a', app.name);
    expect(token).toMatch(/^t\.[0-9a-f-]{36}\n$/);
    const curl = await runProgram('curl', [
      '-sS',
      '-u',
      `token:${token.trim()}`,
      '-d',
      'hello',
      `${server.url}/logs`,
    ]);
    expect(curl.status).toBe(0);
    expect((await server.readLines(app)).at(-1)).toMatch(/ nginx\[log\]: hello$/);
    expect((await say('tokens', '-a', app.name)).stdout).toContain(token.trim());
    expect((await say('tokens:remove', token.trim(), '-a', app.name)).status).toBe(0);
    expect((await say('tokens', '-a', app.name)).stdout).not.toContain(token.trim());
  });
});

describe('git:credentials', () => {
  it('gives the key of the server that git asks for, whichever was logged in to last', async () => {
    const home = mkdtempSync(join(tmpdir(), 'tailrace-home-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    mkdirSync(join(home, 'tailrace'));
    const logins = ['last', 'first'].map((name) => ({
      url: `https://${name}.example.com`,
      key: `k.${name}`,
    }));
    writeFileSync(join(home, 'tailrace', 'credentials.json'), JSON.stringify({ logins }));
    const ask = async (host: string) => {
      const env = { XDG_CONFIG_HOME: home, HOME: home };
      const input = `protocol=https\nhost=${host}\n\n`;
      return (await runTailrace(['git:credentials', 'get'], { env, input, cwd: home })).stdout;
    };
    expect(await ask('first.example.com')).toBe('username=key\npassword=k.first\n');
    expect(await ask('last.example.com')).toBe('username=key\npassword=k.last\n');
    expect(await ask('by-another-name.example.com')).toBe('username=key\npassword=k.last\n');
  });
});

describe.skipIf(missing('git'))('the git remote of an app', () => {
  it('is removed with it; an error names one that points to a destroyed app', async () => {
    const repository = new GitRepository(server);
    await repository.tailrace('create', 'first-one');
    expect((await repository.tailrace('destroy', '--confirm', 'first-one')).stdout).toBe(
      'Destroying first-one (including all add-ons)... done\nGit remote tailrace removed\n',
    );
    expect(repository.git('remote')).toBe('');

    await repository.tailrace('create', 'replaced-one');
    expect((await repository.tailrace('create', 'second-one')).stdout).toContain(
      '\nGit remote tailrace leads here now, and not to replaced-one; deploy with: git push tailrace main\n',
    );
    await server.createApp('another-one');
    await repository.tailrace('destroy', 'another-one', '--confirm', 'another-one');
    expect(repository.git('remote')).toBe('tailrace\n');
    await server.request('DELETE', '/apps/second-one');
    expect((await repository.tailrace('ps')).stderr).toBe(
      " ›   Error: Couldn't find that app (second-one, which the git remote tailrace names; name another with --app).\n",
    );
    expect((await repository.tailrace('ps', '-a', 'second-one')).stderr).toBe(
      " ›   Error: Couldn't find that app: second-one.\n",
    );
  });
});
