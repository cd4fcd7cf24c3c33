/** Programs of a build that don't end as they should. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runStep } from '../../../src/apps/build/steps/build-step.ts';
import { killByVariable } from '../../../src/apps/processes/kill-daemonized.ts';
import { ticksSinceBoot } from '../../../src/common/processes/process-identity.ts';
import { temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

function run(script: string, signal = new AbortController().signal, env: Record<string, string> = {}) {
  const lines: string[] = [];
  const step = { program: 'sh', args: ['-c', script], cwd: '/', env: { PATH: process.env.PATH, ...env } };
  return { lines, result: runStep({ ...step, signal, onLine: (line) => lines.push(line) }) };
}

it('a daemon that holds the pipes isn’t waited for, and is found by its environment', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const pidFile = join(folder, 'pid');
  const variable = { REQUEST_ID: `test-${process.pid}` };
  const before = ticksSinceBoot();
  // It has left the group when it is a `sleep`.
  const script = `setsid sleep 600 & while [ "$(cat /proc/$!/comm)" != sleep ]; do :; done; echo $! >${pidFile}; echo built; exit 3`;
  const { lines, result } = run(script, undefined, variable);
  expect((await result).status).toBe(3);
  expect(lines).toEqual(['built']);
  const pid = readFileSync(pidFile, 'utf8').trim();
  const later = before + 10_000;
  expect(await killByVariable(`REQUEST_ID=${variable.REQUEST_ID}`, later), 'what is older').toBe(0);
  expect(await killByVariable(`REQUEST_ID=${variable.REQUEST_ID}`, before)).toBe(1);
  const state = () => execFileSync('sh', ['-c', `ps -o stat= -p ${pid} || true`]).toString();
  await until('its end', async () => state() === '' || state().startsWith('Z'));
});

it('a canceled program with a daemon ends at once', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const abort = new AbortController();
  const variable = { REQUEST_ID: `canceled-${process.pid}` };
  onTestFinished(async () => void (await killByVariable(`REQUEST_ID=${variable.REQUEST_ID}`)));
  const { result } = run(`setsid sleep 600 & touch ${folder}/up; wait`, abort.signal, variable);
  await until('its start', async () => existsSync(join(folder, 'up')));
  abort.abort();
  expect((await result).status).toBe(137);
});

it('a line without end comes in pieces, progress bars as lines', async () => {
  const { lines, result } = run(`head -c 3000000 /dev/zero | tr '\\0' x; echo; printf '1%%\\r2%%\\r\\ndone'`);
  await result;
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(1_100_000);
  expect(lines.slice(0, -3).join('')).toBe('x'.repeat(3_000_000));
  expect(lines.slice(-3)).toEqual(['1%', '2%', 'done']);
});
