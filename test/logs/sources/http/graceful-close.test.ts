/** A router that stops answers the requests that are on their way: a balancer that gets no answer can't know whether lines were taken. */
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { basicAuth, connectTcp, logplexBody } from '../../../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

/** A connection, and what was answered on it. */
interface Client {
  readonly socket: Socket;
  answers: string;
}

async function openClient(server: Server): Promise<Client> {
  const client: Client = { socket: await connectTcp(Number(new URL(server.url).port)), answers: '' };
  client.socket.on('data', (bytes) => {
    client.answers += bytes;
  });
  client.socket.on('error', () => {});
  return client;
}

function requestFor(token: string, type: string, body: Buffer): Buffer {
  const head = `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(token)}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function isRefused(server: Server): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

it('a router that is told to stop refuses connections, and answers the requests on those that it has', async () => {
  const data = dataFolderForTest();
  let server = await startServerForTest({ data });
  const app = await server.createApp();
  /** What common senders send; Node's own server answers the others. */
  const kinds = [
    (line: string) => requestFor(app.token, 'application/logplex-1', logplexBody([line])),
    (line: string) => requestFor(app.token, 'text/plain', Buffer.from(`${line}\n`)),
  ];
  const begun = await Promise.all(kinds.map(() => openClient(server)));
  const idle = await Promise.all(kinds.map(() => openClient(server)));
  for (const [i, request] of kinds.entries()) {
    idle[i].socket.write(request(`before ${i}`));
    await until('an answer', () => idle[i].answers.startsWith('HTTP/1.1 204'));
    idle[i].answers = '';
    begun[i].socket.write(request(`begun ${i}`).subarray(0, -3));
  }
  server.program.child.kill('SIGTERM');
  await until('connections to be refused', () => isRefused(server));
  for (const [i, request] of kinds.entries()) {
    idle[i].socket.write(request(`after ${i}`));
    begun[i].socket.write(request(`begun ${i}`).subarray(-3));
  }
  for (const { socket, answers } of await until('all to be closed', () => {
    const clients = [...idle, ...begun];
    return clients.every((client) => client.socket.closed) && clients;
  })) {
    expect(answers).toMatch(/^HTTP\/1\.1 204 .*connection: close\r\n/is);
    expect(socket.closed).toBe(true);
  }
  await until('the router to end', () => server.program.hasExited);
  expect(server.program.exitStatus).toBe(0);
  server = await startServerForTest({ data });
  expect((await server.readMessages(app)).sort()).toEqual(
    ['before 0', 'begun 0', 'after 0', 'before 1', 'begun 1', 'after 1'].sort(),
  );
});
