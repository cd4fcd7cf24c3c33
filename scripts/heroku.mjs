/**
 * Installs the official `heroku` command for the tests, in node_modules/.cache/heroku, and beside it, in lean/, the same
 * modules without Sentry's: those are two thirds of all files it loads, at every start, and report errors of a password
 * store only, which DISABLE_TELEMETRY=true switches off. A command takes half the processor time that way.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version that the tests know. */
const VERSION = '11.10.0';
const LEFT_OUT = '@sentry/node';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.cache', 'heroku');
const lock = `${folder}.installing`;
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
    mkdirSync(unfinished);
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet, '--prefix', '.', `heroku@${VERSION}`], {
      cwd: unfinished,
      stdio: ['ignore', 'ignore', 2],
    });
    makeLean(unfinished);
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
    return true;
  } catch {
    return false; // there is no lock, or who made it is gone
  }
}

function isThere() {
  const installed = join(folder, 'lean', 'node_modules', 'heroku', 'package.json');
  return existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === VERSION;
}

/** Node.js finds the modules by way of links to them when it is told not to look behind (--preserve-symlinks). */
function makeLean(parent) {
  const lean = join(parent, 'lean', 'node_modules');
  for (const name of packages(join(parent, 'node_modules'))) {
    if (name === LEFT_OUT) continue;
    mkdirSync(dirname(join(lean, name)), { recursive: true });
    const up = name.includes('/') ? '../../..' : '../..';
    symlinkSync(`${up}/node_modules/${name}`, join(lean, name));
  }
  const stub = join(lean, LEFT_OUT);
  mkdirSync(stub, { recursive: true });
  writeFileSync(join(stub, 'package.json'), JSON.stringify({ type: 'module', exports: './index.js' }));
  const names = ['captureException', 'flush', 'getClient', 'init'];
  const text = names.map((name) => `export function ${name}() { throw new Error('telemetry is off'); }\n`);
  writeFileSync(join(stub, 'index.js'), text.join(''));
}

function packages(modules) {
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
    );
}
