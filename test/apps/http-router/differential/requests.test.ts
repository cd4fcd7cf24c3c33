/**
 * The requests of test/fixtures/http through the HTTP router, and beside it through Node's HTTP server, nginx and HAProxy: it may be
 * stricter than they are. What none of them takes, or what each of them takes for something else, it must not pass on.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HttpRouter, startHttpRouter } from '../../../../src/apps/http-router/http-router.ts';
import { mutantRequests } from '../../../support/http/mutants.ts';
import {
  type HttpPeer,
  PEER_WAIT_MS,
  type SeenRequest,
  seenRequests,
  startHaproxyPeer,
  startNginxPeer,
  startNodePeer,
  statusesOf,
} from '../../../support/http/peers.ts';
import { cutIntoPieces, exchangeBytes, exchangePieces } from '../../../support/http/raw-exchange.ts';
import { type HttpVector, readHttpVectors, withSecondTry } from '../../../support/http/vectors.ts';
import { missing } from '../../../support/program.ts';
import { TestApp, upstreamUp } from '../harness.ts';

const FILES = ['request-lines.json', 'request-fields.json', 'request-bodies.json'];
const AT_A_TIME = 40;
const vectors = FILES.flatMap((file) => readHttpVectors(file));
/** First lines of requests that may lead to anything. */
const open = new Set(
  vectors
    .filter(({ expect: expected }) => expected === 'any')
    .map(({ send }) => send.slice(0, send.indexOf('\r\n'))),
);
/** Comes behind every vector that is a whole request: it is answered unless that was refused. Then the connection is closed. */
const LAST = 'GET /last HTTP/1.1\r\nHost: myapp.localhost\r\nConnection: close\r\n\r\n';

interface Outcome {
  readonly statuses: readonly number[];
  readonly seen: readonly SeenRequest[];
}

const app = new TestApp();
const peers: HttpPeer[] = [];
let router: HttpRouter;
/** What the router passed on and Node's parser could not read. */
const misunderstood: string[] = [];

async function startPeers(): Promise<void> {
  const [alone, behindPeers, behindRouter] = await Promise.all([
    startNodePeer(),
    startNodePeer(),
    startNodePeer(),
  ]);
  behindRouter.server.on(
    'clientError',
    (error: Error & { code?: string; reason?: string; rawPacket?: Buffer }, socket) => {
      // One that breaks off in the middle was refused while it was passed on.
      const head = error.rawPacket?.toString('latin1') ?? '';
      const isOpen = open.has(head.slice(0, head.indexOf('\r\n')));
      if (error.code?.startsWith('HPE_') && error.code !== 'HPE_INVALID_EOF_STATE' && !isOpen)
        misunderstood.push(`${error.reason}: ${head}`);
      socket.destroy();
    },
  );
  const proxies = missing('nginx', 'haproxy')
    ? []
    : await Promise.all([startNginxPeer(behindPeers.port), startHaproxyPeer(behindPeers.port)]);
  peers.push(alone, ...proxies);
  app.dynos = [upstreamUp(behindRouter.port)];
  // Pieces may take their time on a busy machine.
  const waits = { headMs: 2 * PEER_WAIT_MS, idleMs: 2 * PEER_WAIT_MS, firstByteMs: 2 * PEER_WAIT_MS };
  router = await startHttpRouter({
    host: '127.0.0.1',
    port: 0,
    apps: { appForHost: () => app },
    timeouts: { ...waits, keepAliveMs: PEER_WAIT_MS, lingerMs: 200 },
  });
  closers.push(
    () => router.close(0),
    ...[alone, behindPeers, behindRouter, ...proxies].map((peer) => () => peer.close()),
  );
}
const closers: (() => Promise<void>)[] = [];
beforeAll(startPeers);
afterAll(async () => {
  for (const close of closers) await close();
});

async function outcome(port: number, vector: HttpVector): Promise<Outcome> {
  const received = await exchangeBytes(port, vector.expect === 'wait' ? vector.send : vector.send + LAST);
  return { statuses: statusesOf(received), seen: seenRequests(received) };
}

/** What matters of a request: an absolute target and its path are the same (RFC 9112 sections 3.2.2 and 3.2.4). */
function shown({ method, target, body }: SeenRequest): string {
  const [, path] = /^https?:\/\/[^/?]*(.*)$/i.exec(target) ?? [undefined, target];
  const same = path !== '' ? path.replace(/^\?/, '/?') : method === 'OPTIONS' ? '*' : '/';
  return `${method} ${same} ${JSON.stringify(body)}`;
}

/** Did `peer` see at least these requests, in this order? */
const hasSeen = (peer: Outcome, ours: Outcome): boolean =>
  ours.seen.every((request, i) => peer.seen[i] !== undefined && shown(peer.seen[i]) === shown(request));

function meets(vector: HttpVector, { statuses, seen }: Outcome): boolean {
  switch (vector.expect) {
    case 'pass':
      return seen.length > 0 && statuses.find((status) => status >= 200) === 200;
    case 'refuse':
      // The request before the one that is refused may be answered.
      return (
        !seen.some(({ target }) => target === '/last') &&
        (statuses.at(-1) ?? 0) >= 400 &&
        (statuses.at(-1) ?? 0) < 500
      );
    case 'wait':
      return seen.length === 0 && !statuses.some((status) => status < 400);
    default:
      return true;
  }
}

it('requests are passed on or refused as the rules say, and never more loosely than by others', async () => {
  const findings = await withSecondTry(vectors, AT_A_TIME, async (vector) => {
    const [ours, ...theirs] = await Promise.all([router, ...peers].map(({ port }) => outcome(port, vector)));
    const tell = (one: Outcome): string => `${one.statuses} ${one.seen.map(shown).join(' + ')}`.slice(0, 200);
    const all = [`router: ${tell(ours)}`, ...peers.map(({ name }, j) => `${name}: ${tell(theirs[j])}`)];
    const says = (what: string): string[] => [`${what} (${vector.rule}): ${vector.name}; ${all.join('; ')}`];
    if (!meets(vector, ours)) return says(`not ${vector.expect}`);
    return theirs.some((peer) => hasSeen(peer, ours)) ? [] : says('looser than all');
  });
  expect(findings).toEqual([]);
  expect(misunderstood).toEqual([]);
});

/** `HTTP_MUTANTS=20000 FUZZ_SEED=7 npx vitest run test/apps/http-router/differential/requests.test.ts` tries more. */
const MUTANTS = Number(process.env.HTTP_MUTANTS ?? 80);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

it('requests that are changed at random are never taken more loosely than by all others', {
  timeout: 60_000 + MUTANTS * 200,
}, async () => {
  const findings = await withSecondTry(mutantRequests(MUTANTS, SEED), AT_A_TIME, async (vector) => {
    const [ours, ...theirs] = await Promise.all([router, ...peers].map(({ port }) => outcome(port, vector)));
    // What was passed on and the dyno, which is Node here, refused: a method that it doesn't know, a byte above ASCII in a target.
    if ((ours.statuses[0] ?? 0) >= 500 || theirs.some((peer) => hasSeen(peer, ours))) return [];
    const tell = (one: Outcome): string => `${one.statuses} ${one.seen.map(shown).join(' + ')}`.slice(0, 200);
    return [
      `${vector.name}; router: ${tell(ours)}; ${peers.map(({ name }, j) => `${name}: ${tell(theirs[j])}`)}`,
    ];
  });
  expect(findings).toEqual([]);
});

it('however a request is cut, the outcome is the same', async () => {
  const whole = vectors.filter(({ expect: expected }) => expected !== 'wait');
  const findings = await withSecondTry(whole, AT_A_TIME, async (vector) => {
    const atOnce = await outcome(router.port, vector);
    const received = await exchangePieces(router.port, cutIntoPieces(vector.send + LAST));
    const inPieces = { statuses: statusesOf(received), seen: seenRequests(received) };
    const tell = ({ statuses, seen }: Outcome): string => `${statuses} ${seen.map(shown)}`;
    return tell(inPieces) === tell(atOnce) ? [] : [`${vector.name}: ${tell(atOnce)}; ${tell(inPieces)}`];
  });
  expect(findings).toEqual([]);
});
