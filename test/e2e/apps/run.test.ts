/** One-off dynos: with a terminal, with pipes, in the background; with our command and the official one. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { missing, Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'runner';
let server: Server;

beforeAll(async () => {
  server = await startServer();
  await server.request('POST', '/apps', { name: APP });
});
afterAll(() => server?.close());

/** Deploys the app once. */
let deployed: Promise<void> | undefined;
function deploy(): Promise<void> {
  deployed ??= (async () => {
    const repository = new GitRepository(server, {
      Procfile: `worker: sleep 1000\nclock: printf '<%s>\\n' "$B" tick\ntalk: ./talk.sh\n`,
      'talk.sh': '#!/bin/sh\nwhile printf "name? "; read name; do echo "hello $name"; done\n',
      'file.txt': 'in the slug\n',
    });
    const pushed = await repository.tailrace('push', '-a', APP);
    expect(pushed.stdout).toMatch(/Released v2/);
    await repository.tailrace('config:set', '-a', APP, 'A=one');
    await repository.tailrace('scale', '-a', APP, 'worker=1', 'talk=1');
    await until('its dynos', async () => {
      const dynos = await server.request<{ state: string }[]>('GET', `/apps/${APP}/dynos`);
      return dynos.filter(({ state }) => state === 'up').length === 2;
    });
  })();
  return deployed;
}
const run = async (args: readonly string[], input: string | Buffer = '') => {
  await deploy();
  return runTailrace(['run', '-a', APP, ...args], { env: server.env, input });
};
const appLines = () => server.readMessages({ id: '', name: APP, token: '' });

describe.skipIf(missing('openssl'))('tailrace run', () => {
  it('runs in a copy of the slug with the config vars, and ends with the command’s status', async () => {
    const { stdout, status } = await run(['cat file.txt; echo $A; echo err >&2; exit 7']);
    expect(stdout).toMatch(/in the slug\none\n/);
    expect(stdout).toMatch(/err\n/);
    expect(status).toBe(7);
    expect((await run(['kill -9 $$'])).status).toBe(137);
    expect((await run(['ls', '-1', 'file.txt'])).stdout).toBe('file.txt\n');
    expect((await run(['no-such-program'])).status).toBe(127);
  });

  it('takes the app behind the command, as Heroku’s users write it, if there is such an app', async () => {
    await deploy();
    const env = { ...server.env };
    const behind = await runTailrace(['run', 'echo $A', '-a', APP, '--exit-code'], { env });
    expect(behind.stdout).toMatch(/^one\n/);
    const own = await run(['printf', '%s\\n', '-a', 'no-such-app']);
    expect(own.stdout).toMatch(/^-a\nno-such-app\n/);
    const marked = await runTailrace(['run', '-a', APP, '--', 'echo', '-a', APP], { env });
    expect(marked.stdout).toMatch(new RegExp(`^-a ${APP}\n`));
  });

  it('pipes input through, byte by byte', async () => {
    const input = randomBytes(2_000_000).toString('base64');
    const { stdout, status } = await run(['cat'], input);
    expect(status).toBe(0);
    expect(stdout === input).toBe(true);
  });

  it('what it deletes is its own copy', async () => {
    expect((await run(['rm file.txt; ls'])).stdout).not.toMatch(/file\.txt/);
    expect((await run(['ls'])).stdout).toMatch(/file\.txt/);
  });

  it('logs its states, as Heroku does', async () => {
    await run(['echo only for the terminal; exit 2']);
    const lines = await appLines();
    for (const line of [
      'Awaiting client',
      'Starting process with command `echo only for the terminal; exit 2`',
      'State changed from starting to up',
      'Process exited with status 2',
      'State changed from up to complete',
    ])
      expect(lines).toContain(line);
    expect(lines).not.toContain('only for the terminal');
  });

  it('has a terminal: input, Ctrl-C, window size, Ctrl-D', async () => {
    await deploy();
    const { PATH, HOME } = process.env;
    const terminal = spawn(process.execPath, [TAILRACE, 'run', '-a', APP, 'bash --norc'], {
      cols: 100,
      rows: 30,
      env: { PATH, HOME, TERM: 'xterm', ...server.env },
    });
    onTestFinished(() => terminal.kill('SIGKILL'));
    let seen = '';
    terminal.onData((text) => {
      seen += text;
    });
    const status = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    const sees = (pattern: RegExp) =>
      until(`${pattern} on the terminal`, () => pattern.test(seen)).catch((error: unknown) => {
        throw new Error(`${error}, but ${JSON.stringify(seen)}`);
      });
    await sees(/Running bash --norc on runner... up, run\.\d+[\s\S]*[#$] /);
    terminal.write('tty && stty size; echo $((6*7))\r');
    await sees(/\/dev\/pts\/\d+\s+30 100\s+42/);
    terminal.write("sh -c 'echo asleep; exec sleep 1000'\r");
    await sees(/[\r\n]asleep\r/);
    terminal.write('\u0003');
    await sees(/\^C[\s\S]*[#$] $/);
    terminal.write('echo status $?\r');
    await sees(/status 130/);
    terminal.resize(120, 40);
    await until('the new size', () => {
      terminal.write('stty size\r');
      return /40 120/.test(seen);
    });
    terminal.write('exit 9\r');
    expect(await status).toBe(9);
  });

  it('stops when the client disconnects', async () => {
    await deploy();
    const client = new Program(process.execPath, [TAILRACE, 'run', '-a', APP, 'echo $HOME; sleep 1000'], {
      env: server.env,
    });
    const [, home] = await client.waitForOutput(/(\S+)\n/);
    expect(existsSync(home)).toBe(true);
    await client.stop('SIGKILL');
    await until('the line about it', async () =>
      (await appLines()).includes('Client connection closed. Sending SIGHUP to all processes'),
    );
    await until('no folder', () => !existsSync(home));
  });

  it('run:detached writes its output to the stream, and can be stopped', async () => {
    await deploy();
    const { stdout } = await runTailrace(['run:detached', '-a', APP, 'echo in the background; sleep 1000'], {
      env: server.env,
    });
    const [, name] = /done, (run\.\d+)/.exec(stdout) ?? [];
    await until('its line', async () => (await appLines()).includes('in the background'));
    expect((await runTailrace(['ps', '-a', APP], { env: server.env })).stdout).toContain(`${name}: up`);
    await runTailrace(['run:detached', '-a', APP, 'sleep 1001'], { env: server.env });
    // Each has its own command.
    expect((await runTailrace(['ps', '-a', APP], { env: server.env })).stdout).toMatch(
      /=== run: several commands \(2\)\n\n.* ago\): echo in the background; sleep 1000\n.* ago\): sleep 1001\n/,
    );
    await runTailrace(['ps:stop', 'run', '-a', APP], { env: server.env });
    await until(
      'its end',
      async () => !(await runTailrace(['ps', '-a', APP], { env: server.env })).stdout.includes(name),
    );
  });

  it('a process type stands for its command, with what follows', async () => {
    expect((await run(['clock'])).stdout).toBe('<>\n<tick>\n');
    expect((await run(['clock', '--once', 'a b'])).stdout).toBe('<>\n<tick>\n<--once>\n<a b>\n');
    expect((await run(['-e', 'B=two;C=3', 'clock 1 2; echo $C'])).stdout).toBe(
      '<two>\n<tick>\n<1>\n<2>\n3\n',
    );
    expect((await run(['--env', 'B=1', '--env', 'C=2', 'echo $B$C'])).stdout).toBe('12\n');
    await runTailrace(['run:detached', '-a', APP, '-e', 'B=far away', 'clock', '--once'], {
      env: server.env,
    });
    await until('its line', async () => (await appLines()).includes('<far away>'));
    expect(await appLines()).toContain(`Starting process with command \`printf '<%s>\\n' "$B" tick --once\``);
  });

  it('has a size and a type of its own', async () => {
    await deploy();
    const started = await runTailrace(
      ['run:detached', '-a', APP, '--size', 'standard-2x', '--type', 'worker', 'sleep 1000'],
      { env: server.env },
    );
    const [, name] = /done, (worker\.\d+)/.exec(started.stdout) ?? [];
    expect(await server.request('GET', `/apps/${APP}/dynos/${name}`)).toMatchObject({
      size: 'Standard-2X',
      type: 'worker',
      command: 'sleep 1000',
    });
    await runTailrace(['ps:stop', name, '-a', APP], { env: server.env });
    expect((await run(['--no-tty', '--exit-code', '-s', 'basic', '--', 'exit 5'])).status).toBe(5);
    const memory = async (size: string) =>
      (await run(['--no-tty', '-s', size, '--', 'echo $DYNO_RAM'])).stdout;
    expect([await memory('basic'), await memory('standard-2x')]).toEqual(['512\n', '1024\n']);
  });

  it.each([
    [['--size', 'huge', 'true'], /No such size as huge/],
    [['--type', 'Web!', 'true'], /"Web!" can't be a process type/],
    [['-e', 'A=1;rubbish', 'true'], /"rubbish" sets nothing: write --env "A=1;B=2"/],
    [['-e', '=1', 'true'], /"=1" sets nothing/],
    [['-e', '1A=1', 'true'], /"1A" can't be a config var's name/],
  ])('%j is refused', async (args, sentence) => {
    const refused = await run(args);
    expect(refused.stderr).toMatch(sentence);
    expect(refused.status).toBe(1);
  });

  it.each([
    ['ps:exec', 'worker.1', '-a', APP, '--', 'echo $DYNO; cat file.txt; pwd; exit 5'],
    ['ps:exec', '-a', APP, '-d', 'worker', '--', 'echo $DYNO; cat file.txt; pwd; exit 5'],
    ['run:inside', 'worker.1', 'echo $DYNO; cat file.txt; pwd; exit 5', '-a', APP],
  ])('%s %s %s: a command inside a running dyno', async (...args) => {
    await deploy();
    const inside = await runTailrace(args, { env: server.env });
    expect(inside).toMatchObject({ status: 5, stderr: '' });
    const [name, file, folder] = inside.stdout.split('\n');
    expect([name, file]).toEqual(['worker.1', 'in the slug']);
    // It is the dyno's own folder, not a copy of it.
    const { id } = await server.request<{ id: string }>('GET', `/apps/${APP}/dynos/worker.1`);
    expect(folder).toContain(id);
  });

  it('ps:exec without a command is a shell; it ends with its dyno', async () => {
    await deploy();
    const shell = new Program(process.execPath, [TAILRACE, 'ps:exec', 'worker.1', '-a', APP], {
      env: server.env,
    });
    shell.child.stdin.write('echo $((40 + 2)) $A >left-behind; cat left-behind\n');
    await shell.waitForOutput(/42 one/);
    const copy = join(server.data, 'copied');
    const copied = await runTailrace(['ps:copy', 'left-behind', '-a', APP, '-d', 'worker.1', '-o', copy], {
      env: server.env,
    });
    expect(copied.stderr).toContain(`left-behind of worker.1 is in ${copy} (7 bytes)`);
    expect(readFileSync(copy, 'utf8')).toBe('42 one\n');
    const again = await runTailrace(['ps:copy', 'left-behind', '-a', APP, '-d', 'worker', '-o', copy], {
      env: server.env,
    });
    expect(again.stderr).toContain(`${copy} is there already: name another file with --output`);
    await runTailrace(['restart', 'worker.1', '-a', APP], { env: server.env });
    expect((await shell.exited).status).not.toBe(0);
  });

  it.each([
    [['ps:exec', 'web.7', 'true'], 'runner has no dyno "web.7"; there are: worker.1'],
    [['run:inside', 'web.1', 'true'], 'runner has no dyno "web.1"; there are: '],
    [['attach', 'web.1'], 'runner has no dyno "web.1"; there are: '],
    [['ps:copy', 'no-such', '-d', 'worker.1'], 'There is no file no-such in worker.1 of runner.'],
    [['run', ' '], 'The command is empty: say what to run.'],
    [
      ['ps:copy', '/etc/passwd', '-d', 'worker.1', '-o', '/nowhere/x'],
      "/nowhere/x can't be written (ENOENT): name another file with --output.",
    ],
    [['ps:copy', '/etc', '-d', 'worker.1', '-o', 'x'], 'There is no file /etc in worker.1 of runner.'],
  ])('%j: one sentence', async (args, sentence) => {
    await deploy();
    const cwd = mkdtempSync(join(tmpdir(), 'tailrace-copy-'));
    onTestFinished(() => rmSync(cwd, { recursive: true }));
    const refused = await runTailrace(args, { env: { ...server.env, TAILRACE_APP: APP }, cwd });
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain(sentence);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('attach: what a dyno says, its input, two at a time; it goes on when they leave', async () => {
    await deploy();
    const { PATH, HOME } = process.env;
    const terminal = spawn(process.execPath, [TAILRACE, 'attach', 'talk.1', '-a', APP], {
      cols: 100,
      rows: 30,
      env: { PATH, HOME, TERM: 'xterm', ...server.env },
    });
    onTestFinished(() => terminal.kill('SIGKILL'));
    let seen = '';
    terminal.onData((text) => {
      seen += text;
    });
    const status = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    const piped = new Program(process.execPath, [TAILRACE, 'connect', 'talk', '-a', APP], {
      env: server.env,
    });
    onTestFinished(async () => void (await piped.stop('SIGKILL')));
    // The prompt was there before: it comes first.
    await until('the prompt', () => /Attached to talk\.1[\s\S]*name\? $/.test(seen));
    await piped.waitForOutput(/^name\? $/);
    terminal.write('anne\u007fa\r');
    await until('the answer', () => /name\? anne\u0008 \u0008a\r\nhello anna\r\nname\? $/.test(seen));
    await piped.waitForOutput(/^name\? hello anna\nname\? $/);
    piped.child.stdin.end('bob\n');
    await until('what the other one has typed', () => seen.includes('hello bob'));
    terminal.write('\u001d');
    expect(await status).toBe(0);
    expect(seen).toContain('Detached: talk.1 goes on.');
    await piped.waitForOutput(/hello bob\nname\? $/);
    await until('its lines', async () => (await appLines()).includes('name? hello anna'));
    // It ends for those who are attached when the dyno does.
    await runTailrace(['restart', 'talk.1', '-a', APP], { env: server.env });
    expect(await piped.exited).toMatchObject({ status: 0, stderr: '\ntalk.1 has ended.\n' });
  });

  it('an app that runs nothing here says what to do', async () => {
    await server.request('POST', '/apps', { name: 'empty-app' });
    const refused = await runTailrace(['run', '-a', 'empty-app', 'true'], { env: server.env });
    expect(refused.stderr).toMatch(/deploy it with `tailrace push`/);
    expect(refused.status).toBe(1);
  });
});

describe.skipIf(missing('openssl'))('heroku run', { timeout: 240_000 }, () => {
  it('attaches over TLS that it trusts, with input and exit code', async () => {
    await deploy();
    await run(['true']); // the certificates are made at the first attached dyno
    const authority = join(server.data, 'tls', 'authority.pem');
    const heroku = new HerokuCli(server, { NODE_EXTRA_CA_CERTS: authority });
    onTestFinished(() => heroku.close());
    const failed = await heroku.run([
      'run',
      '--no-tty',
      '--exit-code',
      '-a',
      APP,
      '--',
      'sh -c "echo $A; exit 4"',
    ]);
    expect(failed.stdout).toMatch(/^one$/m);
    expect(failed.status).toBe(4);
    const piped = await heroku.run(['run', '--no-tty', '-a', APP, '--', 'cat'], 'through a pipe\n');
    expect(piped.stdout).toMatch(/^through a pipe$/m);
    expect(piped.status).toBe(0);
    expect((await heroku.run(['run', '-a', APP, '--', 'tty'])).stdout).toMatch(/\/dev\/pts\/\d+/);
    const clock = await heroku.run([
      'run',
      '--no-tty',
      '-x',
      '-e',
      'B=2',
      '-s',
      'basic',
      '-a',
      APP,
      '--',
      'clock',
      '--once',
    ]);
    expect(clock.stdout).toMatch(/<2>\n<tick>\n<--once>\n/);
    expect(clock.status).toBe(0);
    const inside = await heroku.run([
      'run:inside',
      'worker.1',
      '-x',
      '-a',
      APP,
      '--',
      'sh -c "echo $DYNO; exit 6"',
    ]);
    expect(inside.stdout).toMatch(/^worker\.1\r?$/m);
    expect(inside.status).toBe(6);
    for (const command of ['ps:exec', 'ps:copy file.txt'])
      expect((await heroku.run([...command.split(' '), '-a', APP])).stderr).toMatch(
        /here it is `tailrace[\s\S]*ps:exec web\.1 bash`/,
      );
    expect(await heroku.runOk(['run:detached', '-a', APP, '--', 'echo from afar'])).toMatch(/run\.\d+/);
    await until('its line', async () => (await appLines()).includes('from afar'));
  });

  it('refuses a server whose authority it does not know', async () => {
    await deploy();
    const heroku = new HerokuCli(server);
    onTestFinished(() => heroku.close());
    const refused = await heroku.run(['run', '--no-tty', '-a', APP, '--', 'true']);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/certificate/i);
  });
});
