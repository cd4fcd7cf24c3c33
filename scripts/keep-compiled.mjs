/**
 * Starts what was bundled once: what V8 compiles of it is kept (src/common/program/load-program.ts), and every start from then on takes
 * it from there. After an installation by npm the first start does the same for the next; nothing depends on it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PORTS = ['HTTP', 'SYSLOG', 'SYSLOG_TLS', 'HTTP_TLS', 'ROUTER_TLS', 'ROUTER'];
const ENOUGH_MS = 60_000;

export async function keepCompiled(root) {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-compiled-'));
  try {
    await tryProgram(join(root, 'dist', 'bundle', 'tailrace.js'), folder);
  } catch {
    // Where no server can be started it is compiled at each start.
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tryProgram(program, data) {
  const { PATH } = process.env;
  const env = { PATH, HOME: data, TMPDIR: tmpdir(), TAILRACE_DATA: data };
  for (const port of PORTS) env[`TAILRACE_${port}_PORT`] = '0';
  /** Two of them: a command that ends before the server would keep less of the parts that they have in common. */
  for (const use of [useApi, useCommands]) {
    const server = spawn(process.execPath, [program, 'serve'], {
      env,
      cwd: data,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(server, 'exit');
    const timer = setTimeout(() => server.kill('SIGKILL'), ENOUGH_MS);
    try {
      let said = '';
      for await (const text of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
        said += text;
        if (/syslog on \S+:\d+/.test(said)) break;
      }
      server.stdout.resume();
      const [, url, syslogPort] = /serves on (\S+) .*syslog on \S+?:(\d+)/.exec(said) ?? [];
      const key = readFileSync(join(data, 'key'), 'utf8').trim();
      await use({ url, syslogPort: Number(syslogPort), key }, (typed) =>
        // Not in a checkout: `create` gives a repository a remote.
        promisify(execFile)(process.execPath, [program, ...typed.split(' ')], { env, cwd: data }),
      );
    } finally {
      server.kill();
      await ended;
      clearTimeout(timer);
    }
  }
}

/** An app, lines in and out, the page. */
async function useApi({ url, syslogPort, key }) {
  const ask = async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) };
    return (await fetch(url + path, { method, headers, body: body && JSON.stringify(body) })).text();
  };
  await ask('POST', '/apps', { name: 'first' });
  const [{ token }] = JSON.parse(await ask('GET', '/apps/first/tokens'));
  const frame = `<14>1 2026-01-01T00:00:00Z host ${token} web.1 - - a line`;
  const socket = connect(syslogPort, '127.0.0.1');
  socket.end(`${Buffer.byteLength(frame)} ${frame}`);
  await once(socket.resume(), 'close');
  await fetch(`${url}/logs`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`token:${token}`)}`, 'content-type': 'text/plain' },
    body: 'a line\nanother\n',
  });
  await ask('PATCH', '/apps/first/config-vars', { NAME: 'value' });
  for (const path of [
    '/apps/first/logs?lines=10',
    '/apps/first/log-drains',
    '/apps/first/dynos',
    '/status',
    '/',
  ])
    await ask('GET', path);
}

async function useCommands(_server, run) {
  const commands = [
    'create second',
    'logs -a second',
    'ps -a second',
    'config:set NAME=value -a second',
    'help',
  ];
  for (const typed of commands) await run(typed);
}
