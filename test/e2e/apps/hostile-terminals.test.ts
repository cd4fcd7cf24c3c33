/** Clients of one-off dynos that do what no command of ours does: the server, and everybody else's apps, go on. */
import { existsSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { missing } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'terminals';
const END_OF_INPUT = Buffer.alloc(4);

let server: Server;
beforeAll(async () => {
  server = await startServer();
  await server.request('POST', '/apps', { name: APP });
  const repository = new GitRepository(
    server,
    { Procfile: `worker: sleep 1000\nbig: true ${'x'.repeat(200_000)}\n` },
    () => {},
  );
  expect((await repository.tailrace('push', '-a', APP)).stdout).toMatch(/Released v2/);
  await server.request('PATCH', `/apps/${APP}/formation`, { updates: [{ type: 'worker', quantity: 1 }] });
  await until('its worker', async () =>
    (await dynos()).some(({ name, state }) => name === 'worker.1' && state === 'up'),
  );
});
afterAll(() => server?.close());

interface DynoView {
  readonly name: string;
  readonly state: string;
  readonly attach_url: string;
  readonly exit_status: number | null;
}

const dynos = () => server.request<DynoView[]>('GET', `/apps/${APP}/dynos`);

/** A connection to a terminal, which has said that it is there. */
async function connectTo(attachUrl: string): Promise<TLSSocket> {
  const { certificate: ca } = await server.request<{ certificate: string }>('GET', '/certificate-authority');
  const url = new URL(attachUrl);
  const socket = connect({ host: '127.0.0.1', port: Number(url.port), ca, servername: 'localhost' });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.write(`${url.pathname.slice(1)};framed\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

async function run(command: string, withTerminal: boolean) {
  const body = { command, attach: true, force_no_tty: !withTerminal };
  const dyno = await server.request<DynoView>('POST', `/apps/${APP}/dynos`, body);
  return { ...dyno, socket: await connectTo(dyno.attach_url) };
}

const statusOf = async (name: string) =>
  (await server.request<DynoView>('GET', `/apps/${APP}/dynos/${name}`)).exit_status;

/** The server that was started, and the dyno that ran before. */
async function expectAllWell(): Promise<void> {
  expect((await server.health()).status).toBe(200);
  expect((await dynos()).filter(({ name }) => name === 'worker.1')).toMatchObject([{ state: 'up' }]);
}

describe.skipIf(missing('openssl'))('a client of a one-off dyno', () => {
  it.each([[true], [false]])('may go on behind the end of its input (terminal: %s)', async (withTerminal) => {
    const { name, socket } = await run('sleep 0.5; exit 6', withTerminal);
    socket.resume();
    socket.write(END_OF_INPUT);
    // Each write is a record of TLS, and so comes by itself.
    for (let i = 0; i < 3; i++) socket.write(Buffer.from('\0\0\0\u0002hi'));
    socket.write(END_OF_INPUT);
    await new Promise((resolve) => socket.once('end', resolve));
    await until('its status', async () => (await statusOf(name)) === 6);
    await expectAllWell();
  });

  it.each([[true], [false]])('may ask for what no system can start (terminal: %s)', async (withTerminal) => {
    const { name, socket } = await run('big', withTerminal);
    let said = '';
    socket.on('data', (data) => {
      said += data;
    });
    await new Promise((resolve) => socket.once('end', resolve));
    await until('its status', async () => (await statusOf(name)) !== null);
    expect(await statusOf(name)).not.toBe(0);
    if (!withTerminal) expect(said).toBe('Process failed to start: E2BIG\r\n');
    await expectAllWell();
  });

  it.each([[true], [false]])('may stop reading, and go (terminal: %s)', async (withTerminal) => {
    const { name, socket } = await run('echo "<$HOME>"; exec yes', withTerminal);
    let said = '';
    socket.on('data', (data) => {
      said += data;
    });
    const home = await until('its folder', () => /<(.+)>/.exec(said)?.[1]);
    expect(existsSync(home)).toBe(true);
    socket.removeAllListeners('data');
    socket.pause();
    await until('the server waits for it', () => socket.readableLength > 0);
    socket.destroy();
    await until(
      'the end of its dyno',
      async () => !(await dynos()).some((dyno) => dyno.name === name),
      40_000,
    );
    await until('no folder of it', () => !existsSync(home));
    await expectAllWell();
  });
});
