/**
 * Installs what package-lock.json names and builds the sources, each only when it is out of date. `npm start`, `npm test` and the
 * other scripts begin with it, so that a fresh clone needs no other command. --build: builds in any case; --packages: installs only.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runAlone } from './exclusive.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node.js 20.19 or newer is needed; this is ${process.version}.`);

const packagesOnly = process.argv.includes('--packages');
const mustBuild = process.argv.includes('--build');
const installed = join(root, 'node_modules', '.package-lock.json');
const lock = join(root, 'package-lock.json');
const stamp = join(root, 'dist', '.built');

if (needsPackages() || (!packagesOnly && (mustBuild || needsBuild())))
  // Two at once would take files away from each other.
  await runAlone(join(root, 'dist', '.setup.lock'), setUp, () => say('waiting for another build …'));

async function setUp() {
  if (needsPackages()) {
    say('installing npm packages …');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  if (!packagesOnly && (mustBuild || needsBuild())) await build();
}

function needsPackages() {
  return !existsSync(installed) || mtime(lock) > mtime(installed);
}

function needsBuild() {
  const sources = [
    ...['src', 'drains', 'bench'].flatMap((folder) => files(join(root, folder))),
    ...['bundle', 'build-pages', 'keep-compiled', 'man'].map((name) => join(root, 'scripts', `${name}.mjs`)),
  ];
  const newest = Math.max(...[...sources, lock, join(root, 'tsconfig.json')].map(mtime));
  return !existsSync(stamp) || mtime(stamp) < newest;
}

async function build() {
  const began = new Date();
  say('building …');
  // What was compiled of files that have other names now.
  for (const folder of ['src', 'drains', 'bench'])
    rmSync(join(root, 'dist', folder), { recursive: true, force: true });
  // Types are `npm run check`'s: they take three times as long as all that is written here.
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root, '--noCheck']);
  run(process.execPath, [join(root, 'scripts', 'build-pages.mjs')]);
  // The compiler takes only TypeScript along.
  const scripts = join('src', 'logs', 'store', 'redis', 'lua');
  cpSync(join(root, scripts), join(root, 'dist', scripts), { recursive: true });
  const { bundle } = await import('./bundle.mjs');
  await bundle(root);
  const { writeManPage } = await import('./man.mjs');
  await writeManPage(root);
  const { keepCompiled } = await import('./keep-compiled.mjs');
  await keepCompiled(root);
  writeFileSync(stamp, '');
  // What has changed since then isn't in it.
  utimesSync(stamp, began, began);
}

/** What begins with a dot is no source: benches have folders there, which come and go. */
function files(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return files(path);
      return entry.isFile() ? [path] : [];
    });
}

function mtime(file) {
  return statSync(file).mtimeMs;
}

function run(program, args) {
  try {
    execFileSync(program, args, {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: program === 'npm' && process.platform === 'win32',
    });
  } catch {
    fail(`\`${program} ${args[0]}\` failed; what it said is above.`);
  }
}

function say(text) {
  process.stderr.write(`tailrace: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
