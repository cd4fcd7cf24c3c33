/** A receiver with one fault after the other: every line arrives nevertheless, in order. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { messageOf, parseFrames, withoutDuplicates } from '../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const LINE = `${'x'.repeat(3_000)} line`;

async function bodyOf(request: IncomingMessage, slowly = false): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk);
    if (slowly) await pause(2);
  }
  return Buffer.concat(chunks).toString('utf8');
}

type Fault = (request: IncomingMessage, response: ServerResponse, accept: (body: string) => void) => unknown;

const FAULTS: Record<string, Fault> = {
  'answers 500': (_request, response) => response.writeHead(500).end('no'),
  'is slow': async (request, response, accept) => {
    accept(await bodyOf(request, true));
    response.end();
  },
  'closes its half and reads on': async (request) => {
    request.socket.end();
    await bodyOf(request).catch(() => {});
  },
  'resets in the middle of the body': (request) =>
    request.once('data', () => request.socket.resetAndDestroy()),
  'takes the body and closes': async (request) => {
    await bodyOf(request);
    request.socket.destroy();
  },
  'answers before it reads': async (request, response, accept) => {
    response.writeHead(200).end();
    accept(await bodyOf(request));
  },
  'breaks off in the middle of its answer': async (request) => {
    await bodyOf(request);
    request.socket.write('HTTP/1.1 20');
    request.socket.destroy();
  },
  'answers nonsense': async (request) => {
    await bodyOf(request);
    request.socket.end('SMTP 220 ready\r\n\r\n');
  },
  redirects: (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  'promises more than it sends': async (request, response, accept) => {
    accept(await bodyOf(request));
    response.writeHead(200, { 'content-length': '100' }).write('short');
    request.socket.destroySoon();
  },
};

let tailrace: Server;
beforeAll(async () => {
  tailrace = await startServer();
});
afterAll(() => tailrace.close());

it('a receiver with every fault gets every line, in order', async () => {
  const accepted: string[] = [];
  const seen = new Set<string>();
  let attempt = 0;
  const server = createServer((request, response) => {
    request.on('error', () => {});
    const plan = Object.entries(FAULTS);
    // Every other request is taken as it should be.
    const [name, fault] = plan[(attempt >> 1) % plan.length];
    const isGood = attempt++ % 2 === 1;
    const accept = (body: string) => void accepted.push(body);
    if (isGood) {
      const taken = (body: string): void => {
        accept(body);
        response.end();
      };
      void bodyOf(request).then(taken, () => {});
    } else {
      seen.add(name);
      fault(request, response, accept);
    }
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const app = await tailrace.createApp();
  await tailrace.createDrain(app, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const messages = () => accepted.flatMap((body) => parseFrames(body).map(messageOf));
  let count = 0;
  while (seen.size < Object.keys(FAULTS).length) {
    await pushLines(tailrace, app.token, numberedMessages(50, LINE, count));
    count += 50;
    await until('these lines', () => messages().includes(`${LINE} ${count - 1}`));
  }
  expect(withoutDuplicates(messages())).toEqual(numberedMessages(count, LINE));
  const [{ delivery }] = await tailrace.listDrains(app);
  expect(delivery.lost).toBe(0);
});

it('a receiver that accepts connections and never responds is disconnected after a timeout', async () => {
  let attempts = 0;
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const isFirst = attempts++ === 0;
    const body = await bodyOf(request).catch(() => '');
    if (isFirst) return; // and nothing more
    bodies.push(body);
    response.end();
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const app = await tailrace.createApp();
  await tailrace.createDrain(app, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await pushLines(tailrace, app.token, ['hello']);
  await until('the second attempt', () => bodies.length > 0);
  expect(parseFrames(bodies[0]).map(messageOf)).toEqual(['hello']);
  const [{ delivery }] = await tailrace.listDrains(app);
  expect(delivery.lastError).toMatch(/didn't answer for 20 s/);
});
