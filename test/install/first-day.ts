/** The first day of a team that has only what npm has installed, a proxy with TLS and this machine's programs. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { GitRepository } from '../support/git-repository.ts';
import { APPS_DOMAIN, startNginx, type TlsProxy } from '../support/http/tls-proxies.ts';
import { type ExitResult, Program, runProgram } from '../support/program.ts';
import { startHttpReceiver } from '../support/receivers/receivers.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct horse battery';

/** Somebody at their own machine: a home of their own, and the command. */
class Person {
  readonly email: string;
  readonly env: Record<string, string>;
  private readonly home: string;

  constructor(name: string, folder: string, bin: string, env: Readonly<Record<string, string>>) {
    this.email = `${name}@team.example`;
    this.home = join(folder, name);
    mkdirSync(this.home, { recursive: true });
    this.env = { PATH: `${bin}:${process.env.PATH}`, HOME: this.home, GIT_TERMINAL_PROMPT: '0', ...env };
  }

  /** What is typed has to succeed. */
  async type(command: string, { input = '', cwd = this.home } = {}): Promise<string> {
    const result = await this.try(command, { input, cwd });
    expect(result, `${command}\n${result.stderr}`).toMatchObject({ status: 0 });
    return result.stdout + result.stderr;
  }

  try(command: string, { input = '', cwd = this.home } = {}): Promise<ExitResult> {
    return runProgram('sh', ['-c', command], { env: this.env, cwd, input });
  }
}

/**
 * @param bin where `tailrace` was installed
 * @param folder for everything that is made
 */
export async function firstDay(bin: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const [port, routerPort] = [await freePort(), await freePort()];
  const operator = new Person('operator', folder, bin, {
    TAILRACE_DATA: data,
    TAILRACE_HTTP_PORT: String(port),
    TAILRACE_ROUTER_PORT: String(routerPort),
    TAILRACE_SYSLOG_PORT: '0',
    TAILRACE_APPS_DOMAIN: APPS_DOMAIN,
    TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
  });
  let server = await serve(operator);
  onTestFinished(async () => void (await server.stop('SIGTERM')));
  const proxyFolder = join(folder, 'nginx');
  mkdirSync(proxyFolder);
  const proxy = await startNginx(proxyFolder, { url: `http://127.0.0.1:${port}`, routerPort });
  onTestFinished(async () => void (await proxy.program.stop('SIGTERM')));
  const url = `https://localhost:${proxy.port}`;
  const atHome = { NODE_EXTRA_CA_CERTS: proxy.authorities, GIT_SSL_CAINFO: proxy.authorities };
  const [ada, ben] = ['ada', 'ben'].map((name) => new Person(name, folder, bin, atHome));

  // People are invited, and log in over TLS.
  await accept(proxy, ada, await operator.type(`tailrace access:add ${ada.email} --role owner`));
  await ada.type(`tailrace login --url ${url} --email ${ada.email}`, { input: PASSWORD });
  await ada.type('tailrace create shop');
  await accept(proxy, ben, await ada.type(`tailrace access:add ${ben.email} --app shop`));
  await ben.type(`tailrace login --url ${url} --email ${ben.email}`, { input: PASSWORD });
  expect(await ben.try('tailrace create another')).toMatchObject({ status: 1 });

  // One of them pushes an app, which answers under a name of its own.
  const repository = new GitRepository({ env: ben.env });
  const key = /"key": "([^"]+)"/.exec(await ben.type('cat .config/tailrace/credentials.json'))?.[1];
  repository.git('remote', 'add', 'tailrace', `https://ben:${key}@localhost:${proxy.port}/shop.git`);
  await ben.type('git push tailrace main', { cwd: repository.folder });
  await ben.type('tailrace ps:scale web=1 worker=1 -a shop');
  await ben.type('tailrace config:set A=first -a shop');
  await until('the app', async () => (await fetchApp(proxy, 'shop')).includes('"a":"first"'));
  const receiver = await startHttpReceiver();
  await ben.type(`tailrace drains:add ${receiver.url} -a shop`);
  await ben.type('tailrace log -a shop before the disaster');
  await until('the line at the drain', () => receiver.acceptedMessages().includes('before the disaster'));

  // What is kept elsewhere brings everything back.
  const backup = join(folder, 'backup.tar');
  await operator.type(`tailrace backup ${backup}`);
  await server.stop('SIGKILL');
  rmSync(data, { recursive: true });
  await operator.type(`tailrace restore ${backup}`);
  server = await serve(operator);
  expect(await ben.type('tailrace logs -a shop -n 1000')).toContain('before the disaster');
  expect(await ben.type('tailrace config -a shop')).toContain('A: first');
  await until('the app', async () => (await fetchApp(proxy, 'shop')).includes('"a":"first"'));
  await ben.type('tailrace log -a shop after the disaster');
  await until('the line at the drain', () => receiver.acceptedMessages().includes('after the disaster'));
  expect(await ada.type('tailrace access')).toContain(ben.email);
  expect(await operator.type('tailrace logs -a tailrace-audit')).toMatch(/by=ben@team\.example.*app=shop/);
  expect(await ben.try('tailrace logs -a tailrace-audit')).toMatchObject({ status: 1 });
}

async function serve({ env }: Person): Promise<Program> {
  const server = new Program('tailrace', ['serve'], { env });
  await server.waitForOutput(/tailrace serves on/);
  return server;
}

/** Opens the link of an invitation, and chooses a password. */
async function accept(proxy: TlsProxy, { email }: Person, invitation: string): Promise<void> {
  const token = /#invite=(\S+)/.exec(invitation)?.[1];
  const body = JSON.stringify({ token, email, password: PASSWORD });
  expect(await send(proxy, 'localhost', { method: 'POST', path: '/invitations/accept', body })).toMatchObject(
    { status: 201 },
  );
}

async function fetchApp(proxy: TlsProxy, app: string): Promise<string> {
  return (await send(proxy, `${app}.${APPS_DOMAIN}`, { method: 'GET', path: '/' })).text;
}

function send(
  { port, authorities }: TlsProxy,
  host: string,
  { method, path, body = '' }: { method: string; path: string; body?: string },
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${host}:${port}`, 'content-type': 'application/json' };
    const ca = readFileSync(authorities, 'utf8');
    request(
      { host: '127.0.0.1', port, path, method, servername: host, ca, headers, agent: false },
      async (response) => {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({ status: response.statusCode ?? 0, text });
      },
    )
      .on('error', reject)
      .end(body);
  });
}
