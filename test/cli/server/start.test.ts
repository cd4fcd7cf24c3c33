import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../../apps/forwarder/recording-sink.ts';
import { CounterApp, copyCounterApp, startCounterApp } from '../../support/counter-app.ts';
import { Program, TAILRACE } from '../../support/program.ts';
import { temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const STAMP = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00`;

/** Pids of the dynos, as the runner has written them down. */
function dynoPids(counter: CounterApp): number[] {
  const { dynos } = JSON.parse(readFileSync(join(counter.folder, '.tailrace', 'dynos.json'), 'utf8'));
  return dynos.map((dyno: { pid: number }) => dyno.pid);
}

describe('tailrace start', () => {
  it('prints the addresses, then the stream', async () => {
    const { program, get } = await startCounterApp().then((counter) => ({
      program: counter.program,
      get: (path: string) => counter.get(path),
    }));
    for (const words of [/API +http:\/\/127\.0\.0\.1:\d+/, /logs --tail/, /heroku CLI/, /Ctrl-C/])
      expect(program.stdout).toMatch(words);
    await program.waitForOutput(
      new RegExp(`${STAMP} heroku\\[web\\.1\\]: Starting process with command \`node web\\.mjs\``),
    );
    await program.waitForOutput(new RegExp(`${STAMP} app\\[web\\.1\\]: listening on http://localhost:\\d+`));
    await program.waitForOutput(/app\[worker\.1\]: at=ready/);
    await program.waitForOutput(/app\[clock\.1\]: ticking/);
    expect(await get('/about')).toMatchObject({
      status: 200,
      text: expect.stringContaining('Every drop counts'),
    });
    await program.waitForOutput(
      /heroku\[router\]: at=info method=GET path="\/about" host=\S+ .* dyno=web\.1 .* status=200 /,
    );
    await program.waitForOutput(/app\[web\.1\]: method=GET path="\/about" status=200/);
    expect(program.stdout).not.toContain('\u001b[');
  });

  it('shows a prompt on a terminal before its line is whole; who attaches answers, and the line comes in its place', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
    writeFileSync(
      join(folder, 'Procfile'),
      'ask: printf "name? "; read name; echo "hello $name"; exec sleep 1000\n',
    );
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      TERM: 'xterm',
      TAILRACE_HTTP_PORT: '0',
      TAILRACE_SYSLOG_PORT: '0',
    };
    const terminal = spawn(process.execPath, [TAILRACE, 'start', '--no-color'], {
      cols: 200,
      rows: 50,
      cwd: folder,
      env: { ...env, TAILRACE_ROUTER_PORT: '0' },
    });
    onTestFinished(() => terminal.kill('SIGKILL'));
    let seen = '';
    terminal.onData((text) => {
      seen += text;
    });
    const sees = (pattern: RegExp) =>
      until(`${pattern}`, () => pattern.test(seen)).catch((error: unknown) => {
        throw new Error(`${error}, but ${JSON.stringify(seen)}`);
      });
    await sees(/app\[ask\.1\]: name\? $/);
    const answer = new Program(process.execPath, [TAILRACE, 'attach', 'ask.1'], { cwd: folder, env });
    onTestFinished(async () => void (await answer.stop('SIGKILL')));
    await answer.waitForOutput(/^name\? $/);
    answer.child.stdin.write('anna\n');
    await sees(/name\? \r\x1b\[K(?:[^\n]*heroku\[[^\n]*\n)*\S+ app\[ask\.1\]: name\? hello anna\r\n$/);
    const status = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    terminal.write('\u0003');
    expect(await status).toBe(0);
    expect(await answer.exited).toMatchObject({ status: 0, stderr: '\nask.1 has ended.\n' });
  });

  it('in color when it is forced', async () => {
    const { program } = await startCounterApp([], { FORCE_COLOR: '1' });
    await program.waitForOutput(/\u001b\[2m\S+\u001b\[0m \u001b\[\d+mapp\[/);
  });

  it('Ctrl-C stops all dynos gracefully, prints their last lines, and leaves no process behind', async () => {
    const counter = await startCounterApp();
    await counter.program.waitForOutput(/app\[worker\.1\]: at=ready/);
    const pids = dynoPids(counter);
    expect(pids).toHaveLength(3);
    const { status, stdout, stderr } = await counter.program.stop('SIGINT');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/heroku\[web\.1\]: Stopping all processes with SIGTERM/);
    expect(stdout).toMatch(/app\[web\.1\]: bye, after 0 drops/);
    expect(stdout).toMatch(/app\[worker\.1\]: at=stopped/);
    expect(stdout).toMatch(/heroku\[web\.1\]: Process exited with status 0/);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('a second Ctrl-C kills them at once', async () => {
    const counter = await startCounterApp();
    await counter.program.waitForOutput(/app\[worker\.1\]: at=ready/);
    // A request under way would hold the web dyno up for seconds.
    const slow = counter.get('/slow').catch(() => {});
    await until('the request to have arrived', async () => (await counter.get('/about')).status === 200);
    const pids = dynoPids(counter);
    counter.program.child.kill('SIGINT');
    await counter.program.waitForOutput(/Stopping all processes with SIGTERM/);
    const { status } = await counter.program.stop('SIGINT');
    expect([130, 0]).toContain(status);
    expect(pids.filter(isAlive)).toEqual([]);
    await slow;
  });

  it('Ctrl-C while the dynos are starting leaves nothing behind', async () => {
    const counter = new CounterApp(copyCounterApp(), [], {});
    onTestFinished(() => void counter.program.stop('SIGKILL'));
    await counter.program.waitForOutput(/Ctrl-C/);
    const { status } = await counter.program.stop('SIGINT');
    expect(status).toBe(0);
    expect(counter.program.stdout).not.toMatch(/Error/);
    expect(dynoPids(counter)).toEqual([]);
  });

  it('a closed pipe (`| head`) leaves no process behind either', async () => {
    const counter = await startCounterApp();
    const pids = dynoPids(counter);
    counter.program.child.stdout.destroy();
    await until('its end', () => counter.program.hasExited);
    await until('the end of its dynos', () => pids.filter(isAlive).length === 0);
  });

  it('-m, process types and -p select what runs', async () => {
    const counter = await startCounterApp(['web', 'worker', '-m', 'web=2,worker=0']);
    await counter.program.waitForOutput(/heroku\[web\.2\]: State changed from starting to up/);
    const { stdout } = await counter.run('ps');
    expect(stdout).toMatch(/=== web: node web\.mjs \(2\)\n\nweb\.1: up .*\nweb\.2: up /);
    expect(stdout).not.toMatch(/worker|clock/);
  });

  it('ends the dynos that a killed runner left behind, and goes on with the old stream', async () => {
    const first = await startCounterApp();
    const pids = dynoPids(first);
    await first.program.stop('SIGKILL');
    const second = new CounterApp(first.folder, [], {});
    onTestFinished(async () => void (await second.program.stop('SIGINT')));
    await second.program.waitForOutput(/heroku\[web\.1\]: State changed from starting to up/);
    expect(pids.filter(isAlive)).toEqual([]);
    const { stdout } = await second.run('logs', '-n', '1000', '--dyno', 'web.1', '--source', 'heroku');
    expect(stdout.match(/State changed from starting to up/g)).toHaveLength(2);
  });
});
