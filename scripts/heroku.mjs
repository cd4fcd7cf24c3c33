/** Installs the official `heroku` command for the tests, just as npm has it, in node_modules/.cache/heroku. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version that the tests know. */
const VERSION = '11.10.0';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.cache', 'heroku');
const lock = `${folder}.installing`;
/** A lock that is older is of one that was killed, whoever has its process id now. */
const LOCK_MS = 10 * 60_000;
mkdirSync(dirname(folder), { recursive: true });
while (!isThere()) {
  if (isAnotherAtWork()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  else install();
}

function install() {
  writeFileSync(lock, String(process.pid));
  // Whole or not at all.
  const unfinished = `${folder}.${process.pid}`;
  try {
    // One that was killed may have had this process id.
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet, '--prefix', '.', `heroku@${VERSION}`], {
      cwd: unfinished,
      stdio: ['ignore', 'ignore', 2],
    });
    if (isThere()) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    rmSync(lock, { force: true });
  }
}

/** Tests in several processes may want it at once. */
function isAnotherAtWork() {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return Date.now() - statSync(lock).mtimeMs < LOCK_MS;
  } catch {
    return false; // there is no lock, or who made it is gone
  }
}

function isThere() {
  const installed = join(folder, 'node_modules', 'heroku', 'package.json');
  return existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === VERSION;
}
