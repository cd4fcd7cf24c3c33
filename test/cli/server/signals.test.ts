/** What ends a server, and that its dynos end with it. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startCounterApp } from '../../support/counter-app.ts';
import { missing, Program, TAILRACE } from '../../support/program.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const isRunning = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

describe.skipIf(!existsSync('/proc/self/stat'))('a signal', () => {
  it('SIGQUIT (Ctrl-\\) ends the server at once, and its dynos', async () => {
    const counter = await startCounterApp();
    const pids = childrenOf(counter.program.pid);
    expect(pids.length).toBeGreaterThan(0);
    const { status } = await counter.program.stop('SIGQUIT');
    expect(status).toBe(131);
    await until('the end of the dynos', () => !pids.some(isRunning));
  });

  it('SIGINT twice ends apps that the server runs as well', async () => {
    const counter = await startCounterApp();
    const pids = childrenOf(counter.program.pid);
    counter.program.child.kill('SIGINT');
    await counter.program.stop('SIGINT');
    await until('the end of the dynos', () => !pids.some(isRunning));
  });

  it('SIGHUP doesn’t end a server without a terminal', async () => {
    const server = await startServerForTest();
    server.program.child.kill('SIGHUP');
    expect(await server.request('GET', '/apps')).toEqual([]);
    const { status } = await server.program.stop('SIGTERM');
    expect(status).toBe(0);
  });

  it.skipIf(missing('script', 'nohup'))(
    'SIGHUP of its terminal ends a server, but not with nohup, and not one that comes from elsewhere',
    async () => {
      for (const nohup of [false, true]) {
        const data = dataFolderForTest();
        const ports = 'TAILRACE_HTTP_PORT=0 TAILRACE_SYSLOG_PORT=0 TAILRACE_ROUTER_PORT=0';
        const serve = `${process.execPath} ${TAILRACE} serve`;
        // `script` gives it a terminal; when it is killed the terminal is gone.
        const command = nohup
          ? `${ports} TAILRACE_DATA=${data} nohup ${serve} > ${data}.out 2>&1 & wait`
          : `${ports} TAILRACE_DATA=${data} ${serve}`;
        const terminal = new Program('script', ['-qfec', command, '/dev/null']);
        const pid = await until('the server', () => {
          try {
            return Number(JSON.parse(readFileSync(`${data}/server.json`, 'utf8')).pid);
          } catch {
            return undefined;
          }
        });
        const { url } = JSON.parse(readFileSync(`${data}/server.json`, 'utf8'));
        process.kill(pid, 'SIGHUP');
        expect((await fetch(`${url}/health`)).status).toBe(200);
        await terminal.stop('SIGKILL');
        if (nohup) {
          expect((await fetch(`${url}/health`)).status).toBe(200);
          process.kill(pid, 'SIGTERM');
        }
        await until('its end', () => !isRunning(pid));
      }
    },
  );
});

/** Processes started by `pid`. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).map(Number);
}
