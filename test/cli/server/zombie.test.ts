/** A server that was killed while its parent doesn't take its status: a zombie, which holds nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

describe.skipIf(!existsSync('/proc/self/stat'))('a killed server whose parent doesn’t reap it', () => {
  it('does not hold the data folder, and no command takes it for a running server', async () => {
    const data = dataFolderForTest();
    // A shell that starts the server and becomes a program that waits for no child.
    const ports = 'TAILRACE_HTTP_PORT=0 TAILRACE_SYSLOG_PORT=0 TAILRACE_ROUTER_PORT=0';
    const serve = `${ports} TAILRACE_DATA=${data} ${process.execPath} ${TAILRACE} serve`;
    const parent = new Program('sh', ['-c', `${serve} & exec tail -f /dev/null`]);
    onTestFinished(async () => void (await parent.stop('SIGKILL')));
    const pid = await until('the server', () => {
      try {
        return Number(JSON.parse(readFileSync(`${data}/server.json`, 'utf8')).pid);
      } catch {
        return undefined;
      }
    });
    process.kill(pid, 'SIGKILL');
    await until('a zombie', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    const asked = await runTailrace(['apps'], { env: { TAILRACE_DATA: data } });
    expect(asked.stderr).toContain('No tailrace server is running here');
    const next = await startServerForTest({ data });
    expect(await next.request('GET', '/apps')).toEqual([]);
  });
});
