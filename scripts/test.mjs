/**
 * Runs everything that has to hold: lint, types, tests. Installs what it needs first: npm packages, and, on Debian and
 * Ubuntu as root, the real servers that the tests talk to. Elsewhere a test whose program is missing says so and is
 * skipped; with CI=true nothing may be skipped.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Program, or a library, or a module of rsyslog or of Debian's Python → Debian package. */
const programs = {
  logger: 'bsdutils',
  curl: 'curl',
  script: 'bsdutils',
  tmux: 'tmux',
  openssl: 'openssl',
  git: 'git',
  rsyslogd: 'rsyslog',
  'lmnsd_ossl.so': 'rsyslog-openssl',
  nginx: 'nginx-light',
  'redis-server': 'redis-server',
  swaks: 'swaks',
  memcached: 'memcached',
  saslpasswd2: 'sasl2-bin',
  'sasl2/libplain.so': 'libsasl2-modules',
  'pylibmc/__init__.py': 'python3-pylibmc',
  haproxy: 'haproxy',
  caddy: 'caddy',
  pebble: 'pebble',
  'systemd-cat': 'systemd',
  pg_ctlcluster: 'postgresql',
  'chromium-headless-shell': 'chromium-headless-shell',
  'django-admin': 'python3-django',
  celery: 'celery',
  'redis/__init__.py': 'python3-redis',
  'psycopg2/__init__.py': 'python3-psycopg2',
  'ensurepip/__init__.py': 'python3-venv',
  'sentry_sdk/__init__.py': 'python3-sentry-sdk',
  'yaml/__init__.py': 'python3-yaml',
  'flask/__init__.py': 'python3-flask',
  'whitenoise/__init__.py': 'python3-whitenoise',
  gunicorn: 'gunicorn',
  'systemd-analyze': 'systemd',
  'docker-compose': 'docker-compose',
  man: 'man-db',
  ps: 'procps',
  tini: 'tini',
  bwrap: 'bubblewrap',
  go: 'golang-go',
  ruby: 'ruby',
  bundle: 'bundler',
  rake: 'rake',
  poetry: 'python3-poetry',
  pipenv: 'pipenv',
  faketime: 'faketime',
  'clickhouse-server': 'clickhouse-server',
  'libnss_wrapper.so': 'libnss-wrapper',
  promtool: 'prometheus',
  cc: 'gcc',
  'libc.so': 'libc6-dev',
};

const libraries = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu`);
const rsyslogModules = libraries.map((folder) => `${folder}/rsyslog`);
const pythonModules = [
  '/usr/lib/python3/dist-packages',
  ...['3.11', '3.12', '3.13'].map((v) => `/usr/lib/python${v}`),
];

const bin = (name) => join(root, 'node_modules', '.bin', name);
/** What each part took: `packages and build: 40 s, processors 80 % busy`. */
const took = [];

// What the tests of servers need is installed while everything goes on that doesn't.
const installed = installPrograms();
await part('packages and build', () => run(process.execPath, ['scripts/setup.mjs']));
// Not before: npm begins with a new node_modules, and what is unpacked there would be gone.
const hasPrograms = installed.then(unpackSyslogNg).catch((error) => {
  // Its tests say what is missing.
  process.stderr.write(`tailrace: syslog-ng could not be unpacked: ${error.message}\n`);
});
// It is loaded while everything else goes on; its tests wait for it. If it can't be, they try again and say why.
if (process.argv.length === 2)
  spawn(process.execPath, ['scripts/heroku.mjs'], { cwd: root, stdio: ['ignore', 'ignore', 2] })
    .on('error', (error) => process.stderr.write(`tailrace: ${error.message}\n`))
    .unref();
await part('lint and types', () =>
  together([
    [bin('biome'), 'ci', '--colors=off', '.'],
    // What several check they check several times in part, and the others have the second core.
    [bin('tsc'), '--noEmit', '--checkers', '1', '-p', 'tsconfig.test.json'],
    [bin('tsc'), '--noEmit', '--checkers', '1', '-p', 'src/web'],
  ]),
);
// Two fifths of the runs of every property, others each time: all of them are a minute of both processors. `npm run unit` makes fewer.
process.env.PROPERTY_RUNS ??= '0.4';
const vitest = (...args) => run(bin('vitest'), ['run', ...args, ...process.argv.slice(2)]);
if (process.argv.length > 2) {
  await hasPrograms;
  await part('tests', vitest);
} else {
  // What fails among them is said at the end: the others are tried all the same.
  let unitStatus = 0;
  await part('unit tests', async () => {
    unitStatus = await vitest('--project', 'unit');
  });
  await part('programs', () => hasPrograms);
  await part('system tests', () => vitest('--project', 'system'));
  if (unitStatus !== 0) process.stderr.write('tailrace: unit tests have failed, see above.\n');
  process.exitCode = unitStatus;
}
sayTimes();

async function installPrograms() {
  const missing = Object.entries(programs).filter(([program]) => !find(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  const canInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!canInstall) {
    process.stderr.write(
      `tailrace: not installed: ${missing.map(([program]) => program).join(', ')}; get them with: apt-get install ${packages.join(' ')}\n`,
    );
    return;
  }
  process.stderr.write(`tailrace: installing ${packages.join(', ')} for the tests …\n`);
  // Nothing of what is installed should start by itself.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = async (...args) =>
    (await run('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 2] })) === 0;
  await apt('update');
  const install = (...names) => apt('install', '-y', '--no-install-recommends', ...names);
  if (await install(...packages)) return;
  // One that this system doesn't have keeps the others out.
  let hasFailed = false;
  for (const name of packages) if (!(await install(name))) hasFailed = true;
  if (hasFailed) process.stderr.write('tailrace: apt-get failed; what it said is above.\n');
}

/**
 * Debian's syslog-ng can't be installed beside rsyslog: its package is unpacked where test/support/sender.ts looks for it, with the
 * libraries that it needs and this machine lacks.
 */
async function unpackSyslogNg() {
  const folder = join(root, 'node_modules', '.cache', 'syslog-ng');
  if (existsSync(join(folder, 'usr', 'sbin', 'syslog-ng')) || find('syslog-ng') || !find('apt-get')) return;
  // Whole or not at all: what an earlier run was stopped in isn't taken for it.
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  /** What a command prints, and whether it succeeded. */
  const sh = (command) =>
    new Promise((resolve) => {
      execFile('sh', ['-c', command], { cwd: unfinished }, (error, stdout, stderr) => {
        process.stderr.write(stderr);
        resolve({ stdout, isDone: !error });
      });
    });
  // A machine on which nothing had to be installed may have no list of packages yet.
  const hasNoList = (await sh('apt-cache show syslog-ng-core 2>&1 >/dev/null | grep -q .')).isDone;
  if (hasNoList && process.getuid?.() === 0) await sh('apt-get -qq update');
  const download = async (names) =>
    (await sh(`apt-get -qq -o APT::Sandbox::User=root download ${names.join(' ')}`)).isDone;
  const isDownloaded = await download(['syslog-ng-core']);
  // `libc6 (>= 2.34), libpcre3, foo | bar`
  const needs = (await sh('dpkg-deb -f syslog-ng-core_*.deb Depends')).stdout
    .split(',')
    .map((one) => one.split('|')[0].replace(/\(.*/, '').trim())
    .filter((name) => /^lib[a-z0-9.+-]+$/.test(name) && !isInstalled(name));
  const isWhole = isDownloaded && (needs.length === 0 || (await download(needs)));
  if (isWhole && (await sh('for file in *.deb; do dpkg-deb -x "$file" . || exit 1; done')).isDone) {
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } else {
    rmSync(unfinished, { recursive: true, force: true });
    process.stderr.write('tailrace: syslog-ng could not be unpacked; what was said is above.\n');
  }
}

/** Is a Debian package installed? */
function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['-s', name], { encoding: 'utf8' });
  return (stdout ?? '').includes('ok installed');
}

function find(program) {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/sbin',
    ...libraries,
    ...rsyslogModules,
    ...pythonModules,
  ];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), /\.(so|py)$/.test(program) ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Does one part of it all, and notes its time; ends everything when it failed. */
async function part(name, work) {
  const before = processorTimes();
  const status = await work();
  const { all, idle, ms } = processorTimes(before);
  took.push(
    `${name}: ${Math.round(ms / 1000)} s, processors ${Math.round(100 * (1 - idle / Math.max(all, 1)))} % busy`,
  );
  if (!status) return;
  sayTimes();
  process.exit(status);
}

function sayTimes() {
  process.stderr.write(took.map((line) => `tailrace: ${line}\n`).join(''));
}

/** What all processors have done since the machine's start, or since `before`, in milliseconds. */
function processorTimes(before = { all: 0, idle: 0, ms: 0 }) {
  const times = cpus().map(({ times: of }) => of);
  const idle = times.reduce((sum, of) => sum + of.idle, 0);
  const all = times.reduce((sum, of) => sum + of.idle + of.user + of.nice + of.sys + of.irq, 0);
  return { all: all - before.all, idle: idle - before.idle, ms: performance.now() - before.ms };
}

/** Runs a program to its end; gives its exit status. */
function run(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
    child.once('error', (error) => {
      process.stderr.write(`tailrace: ${error.message}\n`);
      resolve(1);
    });
    child.once('close', (status) => resolve(status ?? 1));
  });
}

/** Runs several programs at the same time, and shows what each one said when it has ended; gives the first status that isn't 0. */
async function together(commands) {
  const statuses = await Promise.all(
    commands.map(
      ([program, ...args]) =>
        new Promise((resolve) => {
          execFile(program, args, { cwd: root, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
            process.stdout.write(stdout);
            process.stderr.write(stderr);
            if (error && typeof error.code !== 'number') process.stderr.write(`tailrace: ${error.message}\n`);
            resolve(error ? Number(error.code) || 1 : 0);
          });
        }),
    ),
  );
  return statuses.find((status) => status !== 0) ?? 0;
}
