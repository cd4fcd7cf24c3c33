/** Installs the official `heroku` command for the tests, just as npm has it, in node_modules/.cache/heroku. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runAlone } from './exclusive.mjs';

/** The version that the tests know. */
const VERSION = '11.10.0';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.cache', 'heroku');
mkdirSync(dirname(folder), { recursive: true });
// Tests in several processes may want it at once.
if (!isThere()) await runAlone(`${folder}.installing`, () => isThere() || install());

function install() {
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
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function isThere() {
  const installed = join(folder, 'node_modules', 'heroku', 'package.json');
  return existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === VERSION;
}
