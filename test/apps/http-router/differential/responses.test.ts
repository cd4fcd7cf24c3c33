/**
 * The responses of test/fixtures/http through the HTTP router, and beside it through nginx, HAProxy and Node's HTTP client: what none of
 * them takes, or each of them for something else, must not reach a client as a whole response; and nothing of one response ever becomes a
 * part of another.
 */
import { Agent, request } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HttpRouter, startHttpRouter } from '../../../../src/apps/http-router/http-router.ts';
import { PEER_WAIT_MS, startHaproxyPeer, startNginxPeer } from '../../../support/http/peers.ts';
import { cutIntoPieces, exchangeBytes } from '../../../support/http/raw-exchange.ts';
import { type HttpVector, readHttpVectors, withSecondTry } from '../../../support/http/vectors.ts';
import { missing } from '../../../support/program.ts';
import { TestApp, upstreamUp } from '../harness.ts';

const AT_A_TIME = 30;
const vectors = readHttpVectors('responses.json');

interface Outcome {
  /** 0: none. */
  readonly status: number;
  readonly body: string;
  readonly complete: boolean;
  /** The response to the next request on the same connection, '' if that was closed. */
  readonly next: string;
}

type Peer = { readonly name: string; get(path: string, vector: HttpVector): Promise<Outcome> };
const closers: (() => Promise<void>)[] = [];
const peers: Peer[] = [];
const app = new TestApp();
let router: HttpRouter;

function respond(socket: Socket, vector: HttpVector, pieces: readonly string[]): void {
  const write = (index: number): void => {
    if (index < pieces.length) socket.write(pieces[index], 'latin1', () => setImmediate(write, index + 1));
    else if (vector.close) socket.end();
  };
  write(0);
}

/** A dyno that responds to `/<number>` with the bytes of that vector, to `/<number>/in-pieces` in pieces, and else with `fine`. */
async function startScriptedDyno(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
      while (received.includes('\r\n\r\n')) {
        const [, index, inPieces] = /^[A-Z]+ \/(\d+)(\/in-pieces)? /.exec(received) ?? [];
        received = received.slice(received.indexOf('\r\n\r\n') + 4);
        const vector = index === undefined ? undefined : vectors[Number(index)];
        if (vector === undefined) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine');
        else respond(socket, vector, inPieces === undefined ? [vector.send] : cutIntoPieces(vector.send));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Reads what the router, nginx and HAProxy write: heads in proper form. */
function readResponse(received: string, start: number, method: string): Outcome & { end: number } {
  const headEnd = received.indexOf('\r\n\r\n', start);
  const nothing = { status: 0, body: '', complete: false, next: '', end: received.length };
  if (headEnd === -1) return nothing;
  const head = received.slice(start, headEnd + 2);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  const bodyStart = headEnd + 4;
  const rest = received.slice(bodyStart);
  const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
  const whole = (body: string, end: number) => ({ status, body, complete: true, next: '', end });
  if (status < 200) return readResponse(received, bodyStart, method);
  if (method === 'HEAD' || status === 204 || status === 304) return whole('', bodyStart);
  if (/^transfer-encoding: chunked\r$/im.test(head))
    return { ...nothing, status, ...readChunks(received, bodyStart) };
  if (length === undefined) return whole(rest, received.length);
  const body = rest.slice(0, Number(length));
  return { ...whole(body, bodyStart + body.length), complete: body.length === Number(length) };
}

function readChunks(received: string, start: number) {
  let body = '';
  for (let at = start; ; ) {
    const size = /^([0-9a-f]+)(?:;[^\r\n]*)?\r\n/i.exec(received.slice(at));
    if (size === null) return { body, complete: false, end: received.length };
    at += size[0].length;
    const count = Number.parseInt(size[1], 16);
    if (count === 0) {
      // With trailers there is an empty line behind them.
      const last = received.startsWith('\r\n', at) ? at - 2 : received.indexOf('\r\n\r\n', at);
      return { body, complete: last !== -1, end: last === -1 ? received.length : last + 4 };
    }
    body += received.slice(at, at + count);
    at += count + 2;
  }
}

function throughProxy(name: string, port: number): Peer {
  return {
    name,
    async get(path, { method = 'GET' }) {
      const line = (fields: string): string => `HTTP/1.1\r\nHost: myapp.localhost\r\n${fields}\r\n`;
      const sent = `${method} ${path} ${line('')}GET /next ${line('Connection: close\r\n')}`;
      const received = await exchangeBytes(port, sent);
      const first = readResponse(received, 0, method);
      return { ...first, next: received.slice(first.end) };
    },
  };
}

/** Node's HTTP client, without a proxy. */
function throughNode(port: number): Peer {
  const agent = new Agent({ keepAlive: true });
  closers.push(async () => agent.destroy());
  return {
    name: 'Node',
    get: (path, { method = 'GET' }) =>
      new Promise((resolve) => {
        const sent = request({ port, host: '127.0.0.1', path, method, agent }, (response) => {
          let body = '';
          const end = (complete: boolean): void =>
            resolve({ status: response.statusCode ?? 0, body, complete, next: '' });
          response.setEncoding('latin1').on('data', (text) => {
            body += text;
          });
          response.on('end', () => end(response.complete));
          response.on('error', () => end(false));
        });
        sent.on('error', () => {});
        // After everything else, if anything came at all.
        sent.on('close', () => setImmediate(resolve, { status: 0, body: '', complete: false, next: '' }));
        sent.setTimeout(PEER_WAIT_MS, () => sent.destroy());
        sent.end();
      }),
  };
}

beforeAll(async () => {
  const [dyno, other] = await Promise.all([startScriptedDyno(), startScriptedDyno()]);
  const proxies = missing('nginx', 'haproxy')
    ? []
    : await Promise.all([startNginxPeer(other), startHaproxyPeer(other)]);
  app.dynos = [upstreamUp(dyno)];
  router = await startHttpRouter({
    host: '127.0.0.1',
    port: 0,
    apps: { appForHost: () => app },
    timeouts: { firstByteMs: PEER_WAIT_MS, idleMs: PEER_WAIT_MS, lingerMs: 200 },
  });
  peers.push(throughNode(other), ...proxies.map(({ name, port }) => throughProxy(name, port)));
  closers.unshift(() => router.close(0), ...proxies.map((proxy) => () => proxy.close()));
});
afterAll(async () => {
  for (const close of closers) await close();
});

const isRelayed = ({ status }: Outcome): boolean => status > 0 && status < 500;

function meets({ expect: expected }: HttpVector, ours: Outcome): boolean {
  switch (expected) {
    case 'pass':
      return isRelayed(ours) && ours.complete;
    case 'refuse':
      return ours.status === 502 || ours.status === 503;
    case 'cut':
      return !isRelayed(ours) || !ours.complete;
    default:
      return true;
  }
}

it('responses are relayed, refused or cut off as the rules say, and never taken more loosely than by others', async () => {
  const relayed = throughProxy('router', router.port);
  const wrong = await withSecondTry(vectors, AT_A_TIME, async (vector) => {
    const path = `/${vectors.indexOf(vector)}`;
    const [ours, ...theirs] = await Promise.all([relayed, ...peers].map((peer) => peer.get(path, vector)));
    const tell = ({ status, body, complete }: Outcome): string =>
      `${status} ${JSON.stringify(body.slice(0, 60))}${complete ? '' : ' cut off'}`;
    const all = [`router: ${tell(ours)}`, ...peers.map(({ name }, j) => `${name}: ${tell(theirs[j])}`)];
    const says = (what: string): string[] => [`${what} (${vector.rule}): ${vector.name}; ${all.join('; ')}`];
    if (!meets(vector, ours)) return says(`not ${vector.expect}`);
    if (ours.next.includes('poison') || (ours.next !== '' && !ours.next.endsWith('fine')))
      return says(`and then ${JSON.stringify(ours.next.slice(0, 200))}`);
    const same = theirs.some(
      (peer) => peer.status === ours.status && peer.body === ours.body && peer.complete,
    );
    return isRelayed(ours) && ours.complete && !same ? says('looser than all') : [];
  });
  expect(wrong).toEqual([]);
});

it('however a response comes in pieces, the outcome is the same', async () => {
  const ours = throughProxy('router', router.port);
  const different = await withSecondTry(vectors, AT_A_TIME, async (vector) => {
    const path = `/${vectors.indexOf(vector)}`;
    const atOnce = await ours.get(path, vector);
    const inPieces = await ours.get(`${path}/in-pieces`, vector);
    if (inPieces.next.includes('poison')) return [`${vector.name}: ${inPieces.next}`];
    const tell = ({ status, body, complete }: Outcome): string =>
      // How much of one comes before it is cut off depends on the pieces.
      status > 0 && status < 500 && complete ? `${status} ${JSON.stringify(body)}` : 'not whole';
    return tell(inPieces) === tell(atOnce) ? [] : [`${vector.name}: ${tell(atOnce)}; ${tell(inPieces)}`];
  });
  expect(different).toEqual([]);
});

it('nothing of a response that was longer than it should be is left for another request', async () => {
  const longer = vectors.flatMap((vector, i) => (vector.send.includes('poison') ? [i] : []));
  expect(longer.length).toBeGreaterThan(5);
  const all = longer.flatMap((index) => [
    { path: index, method: vectors[index].method ?? 'GET' },
    ...Array.from({ length: 3 }, () => ({ path: 'next', method: 'GET' })),
  ]);
  // One after the other: each takes the connection to the dyno that the one before it left.
  for (const { path, method } of all) {
    const received = await exchangeBytes(
      router.port,
      `${method} /${path} HTTP/1.1\r\nHost: myapp.localhost\r\nConnection: close\r\n\r\n`,
    );
    expect(received).not.toContain('poison');
    if (path === 'next') expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n.*fine$/s);
  }
});
