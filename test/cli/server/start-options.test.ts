/** What people who come from foreman and overmind type, on a machine on which something runs already. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../src/logs/sources/listen.ts';
import { freePort } from '../../support/free-port.ts';
import { Program, runProgram, TAILRACE } from '../../support/program.ts';
import { temporaryFolder } from '../../support/server.ts';

const ANY_PORTS = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };
const SAY = `web: node -e 'console.log("A=" + process.env.A, "B=" + process.env.B, "PORT=" + process.env.PORT); setInterval(() => {}, 1e6)'\n`;

function project(files: Readonly<Record<string, string>>): string {
  const folder = join(temporaryFolder(), 'shop');
  mkdirSync(folder);
  for (const [name, text] of Object.entries({ Procfile: SAY, ...files }))
    writeFileSync(join(folder, name), text);
  return folder;
}

function startIn(folder: string, command: string, env: Record<string, string> = ANY_PORTS): Program {
  const program = new Program('bash', ['-c', `exec "${process.execPath}" "${TAILRACE}" ${command}`], {
    cwd: folder,
    env,
  });
  onTestFinished(async () => {
    await program.stop('SIGINT');
  });
  return program;
}

it('several files of variables are read, also those that secret managers make, and PORT is where ports begin', async () => {
  const port = await freePort();
  const folder = project({ one: 'A=1\nB=1\n', two: 'B=2\n' });
  const program = startIn(folder, `start -e one,two -e <(echo PORT=${port}; echo B=3)`);
  await program.waitForOutput(new RegExp(`A=1 B=3 PORT=${port}\\n`));
});

it('a FIFO may be the .env, and .foreman has defaults', async () => {
  const folder = project({ '.foreman': 'procfile: Procfile.dev\nformation: web=2\n', 'Procfile.dev': SAY });
  await runProgram('mkfifo', [join(folder, '.env')]);
  const program = startIn(folder, 'start');
  await runProgram('bash', ['-c', `echo A=secret > ${join(folder, '.env')}`]);
  await program.waitForOutput(/web\.2\]: A=secret/);
});

it('a second project starts beside the first without a setting', async () => {
  const [first, second] = [project({}), project({})].map((folder) => startIn(folder, 'start', {}));
  const ports = await Promise.all(
    [first, second].map(async (program) => {
      await program.waitForOutput(/web\.1\]: A=/);
      return [/API +\S+:(\d+)/, /syslog +\S+:(\d+)/, /app +http:\/\/\S+?:(\d+)/].map(
        (pattern) => pattern.exec(program.stdout)?.[1],
      );
    }),
  );
  expect(new Set(ports.flat()).size).toBe(6);
});

it('all ports that are taken are said at once, with who has them, when they were asked for', async () => {
  const holders = [createServer(), createServer()];
  for (const holder of holders) await listen(holder, { host: '127.0.0.1', port: 0 }, 'a test', 'nothing');
  onTestFinished(() => {
    for (const holder of holders) holder.close();
  });
  const [http, syslog] = holders.map((holder) => (holder.address() as { port: number }).port);
  const env = { ...ANY_PORTS, TAILRACE_SYSLOG_PORT: String(syslog) };
  for (const command of ['start', 'serve']) {
    const folder = project({});
    const ended = await startIn(folder, `${command} --http-port ${http}`, {
      ...env,
      TAILRACE_DATA: join(folder, 'd'),
    }).exited;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('Ports are taken:');
    expect(ended.stderr).toMatch(new RegExp(`${http} \\(by node, process ${process.pid}; --http-port or`));
    expect(ended.stderr).toMatch(new RegExp(`${syslog} \\(by .*--syslog-port or TAILRACE_SYSLOG_PORT`));
  }
});
