/** Two builds at once in one checkout would take files away from each other. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { dataFolderForTest } from '../support/server.ts';

const MODULE = pathToFileURL(join(import.meta.dirname, '..', '..', 'scripts', 'exclusive.mjs'));
/** Writes down that it is in, looks around for a moment, and writes down that it is out. */
const SCRIPT = `
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { runAlone } from '${MODULE}';
const [, lock, log] = process.argv;
const note = (what) => appendFileSync(log, what + ' ' + process.pid + '\\n');
await runAlone(lock, async () => { note('in'); await pause(20); note('out'); });
`;

it('of processes that share a folder one works at a time, also where one has died at its work', async () => {
  const folder = dataFolderForTest();
  const [lock, log] = [join(folder, 'lock'), join(folder, 'log')];
  const dead = spawn('true');
  await once(dead, 'exit');
  writeFileSync(lock, String(dead.pid));
  const all = Array.from({ length: 5 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, lock, log], { stdio: 'inherit' }),
  );
  const statuses = await Promise.all(all.map(async (child) => (await once(child, 'exit'))[0]));
  expect(statuses).toEqual(all.map(() => 0));
  const noted = readFileSync(log, 'utf8').trim().split('\n');
  const turns = noted.flatMap((line) => (line.startsWith('in ') ? [line.slice(3)] : []));
  expect(noted).toEqual(turns.flatMap((pid) => [`in ${pid}`, `out ${pid}`]));
  expect(new Set(turns)).toEqual(new Set(all.map(({ pid }) => String(pid))));
  expect([lock, `${lock}.removal`].some((file) => existsSync(file))).toBe(false);
});
