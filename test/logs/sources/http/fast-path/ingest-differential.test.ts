/**
 * The requests of test/fixtures/http and mutants of them as `POST /logs` of a real server, and beside it to Node's HTTP server, nginx and HAProxy: what the
 * server takes for lines (the fast path, or Node and Fastify behind it) each of them has to have been asked in the same way by at least one.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mutantRequests } from '../../../../support/http/mutants.ts';
import {
  type HttpPeer,
  seenRequests,
  startHaproxyPeer,
  startNginxPeer,
  startNodePeer,
  statusesOf,
} from '../../../../support/http/peers.ts';
import { exchangeBytes } from '../../../../support/http/raw-exchange.ts';
import { type HttpVector, mapConcurrently, readHttpVectors } from '../../../../support/http/vectors.ts';
import { missing } from '../../../../support/program.ts';
import { basicAuth } from '../../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../../support/server.ts';

const FILES = ['request-lines.json', 'request-fields.json', 'request-bodies.json'];
const AT_A_TIME = 40;
/** `HTTP_MUTANTS=20000 FUZZ_SEED=7 npx vitest run test/logs/sources/http/fast-path/ingest-differential.test.ts` tries more. */
const MUTANTS = Number(process.env.HTTP_MUTANTS ?? 80);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

let server: Server;
let app: App;
let node: HttpPeer;
const peers: HttpPeer[] = [];
/** What came to Node's server alone, by tag: of a request before a broken one it gives no answer. */
const seenByNode = new Map<string, (string | undefined)[]>();
const closers: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const [alone, behindPeers] = await Promise.all([startNodePeer(), startNodePeer()]);
  const proxies = missing('nginx', 'haproxy')
    ? []
    : await Promise.all([startNginxPeer(behindPeers.port), startHaproxyPeer(behindPeers.port)]);
  peers.push(...proxies);
  node = alone;
  alone.server.on('request', (request) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const [, tag, more] = /\/logs\?.*?([vm]\d+)(.*)$/.exec(request.url ?? '') ?? [];
      if (request.method !== 'POST' || tag === undefined) return;
      const body = more === '' ? Buffer.concat(pieces).toString('latin1') : undefined;
      seenByNode.set(tag, [...(seenByNode.get(tag) ?? []), body]);
    });
  });
  server = await startServer({ env: { TAILRACE_FRAME_TIMEOUT: '2s' } });
  app = await server.createApp();
  closers.push(...[alone, behindPeers, ...proxies, server].map((one) => () => one.close()));
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** Where a request says which dyno its lines are of: there they are found again. */
const TAG = 'TAG';
const TARGET = `/logs?dyno=${TAG}`;
/** What a sender of lines says of itself. */
const senderFields = (): string => `Authorization: ${basicAuth(app.token)}\r\nContent-Type: text/plain\r\n`;
/** Comes behind every request: it is taken unless that was refused, and shows what was left of that. */
const last = (): string =>
  `POST ${TARGET} HTTP/1.1\r\nHost: myapp.localhost\r\n${senderFields()}Connection: close\r\nContent-Length: 4\r\n\r\nlast`;

/** A vector as a request with lines, its own fields before the sender's or behind them; none when it has no head. */
function asIngest({ send }: HttpVector, ownFirst: boolean): string[] {
  const [line] = /^(?:\r\n)*.*?\r\n/s.exec(send) ?? [''];
  const posted = line
    .replace(/GET/, 'POST')
    .replace(/(?<=\s)\/(?=\s)/, TARGET)
    .replace(/(?<=myapp\.localhost)\/?(?= )/i, TARGET);
  const rest = send.slice(line.length);
  const hasBody = /^(?:content-length|transfer-encoding)/im.test(rest);
  const headEnd = rest.indexOf('\r\n\r\n') + 2;
  if (headEnd < 2 || line === '') return [];
  const fields = `${senderFields()}${hasBody ? '' : 'Content-Length: 5\r\n'}`;
  const body = rest.slice(headEnd) + (hasBody ? '' : 'hello');
  const own = rest.slice(0, headEnd);
  return [`${posted}${ownFirst ? own + fields : fields + own}${body}`];
}

const MUTANT_BASES = (): string[] =>
  [
    'Content-Length: 5\r\n\r\nhello',
    'Content-Length: 5\r\nX-One: a\r\n\r\nhello',
    'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n',
  ].map((rest) => `POST ${TARGET} HTTP/1.1\r\nHost: myapp.localhost\r\n${senderFields()}${rest}`);

/** How a line is shown differs in what nobody sees, such as `\x00`. */
const plain = (text: string): string =>
  text
    .replace(/\\x[0-9a-f]{2}|[^a-z0-9]+/gi, ' ')
    .replace(/ +/g, ' ')
    .trim();
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map(plain)
    .filter((line) => line !== '');

function takenByPeer(received: string, tag: string): { accepted: number; bodies: (string | undefined)[] } {
  const posts = seenRequests(received).filter(
    ({ method, target }) => method === 'POST' && /^(?:http:\/\/[^/]*)?\/logs/i.test(target),
  );
  return {
    accepted: posts.length,
    bodies: posts.map(({ target, body }) => (target.endsWith(`dyno=${tag}`) ? body : undefined)),
  };
}

/** Are these the lines of some of the bodies, in their order? The server may refuse others: whoever's token, or type, is wrong. */
function areOfBodies(messages: readonly string[], bodies: readonly (string | undefined)[]): boolean {
  let at = 0;
  for (const lines of bodies.map((body) => linesOf(body ?? '')))
    if (lines.every((line, i) => messages[at + i] === line)) at += lines.length;
  return at === messages.length;
}

interface Tried {
  readonly name: string;
  readonly send: string;
}

/** Sends each to the server and to all others. @returns those of which the server took what no other has seen in the same way, with what is wrong */
async function findLooser(all: readonly Tried[], atATime: number, prefix: string) {
  const port = Number(new URL(server.url).port);
  const ours = await mapConcurrently([...all.entries()], atATime, async ([i, { send }]) => {
    const tag = `${prefix}${i}`;
    const bytes = (send + last()).replaceAll(TAG, tag);
    const statuses = statusesOf(await exchangeBytes(port, bytes));
    return { tag, bytes, accepted: statuses.filter((status) => status >= 200 && status < 300).length };
  });
  const stored = new Map<string, string[]>();
  for (const line of await server.readLines(app)) {
    const [, dyno, message] = /^\S+ app\[(\S+)\]: (.*)$/.exec(line) ?? [];
    if (dyno !== undefined) stored.set(dyno, [...(stored.get(dyno) ?? []), ...linesOf(message)]);
  }
  const findings = await mapConcurrently([...all.entries()], atATime, async ([i, one]) => {
    const { tag, bytes, accepted } = ours[i];
    const messages = stored.get(tag) ?? [];
    const says = (what: string) => [{ ...one, what: `${what}: ${one.name}; ${accepted} ${messages}` }];
    if (accepted === 0) return messages.length > 0 ? says('stored, and not answered') : [];
    const [, ...theirs] = await Promise.all([
      exchangeBytes(node.port, bytes),
      ...peers.map(async (peer) => takenByPeer(await exchangeBytes(peer.port, bytes), tag)),
    ]);
    const bodiesOfNode = seenByNode.get(tag) ?? [];
    theirs.push({ accepted: bodiesOfNode.length, bodies: bodiesOfNode });
    const agrees = theirs.some((peer) => accepted <= peer.accepted && areOfBodies(messages, peer.bodies));
    return agrees ? [] : says(`looser than all (${JSON.stringify(theirs)})`);
  });
  return { findings: findings.flat(), accepted: ours.filter((one) => one.accepted > 0).length };
}

/** On a busy machine an answer may come too late: what was found is looked for once more, alone. */
async function expectNoneLooser(all: readonly Tried[], prefix: string): Promise<void> {
  const first = await findLooser(all, AT_A_TIME, prefix);
  expect(first.accepted).toBeGreaterThan(all.length / 10);
  const { findings } = await findLooser(first.findings, 1, `${prefix}1000000`);
  expect(findings.map(({ what }) => what)).toEqual([]);
}

it('requests with lines are never taken more loosely than by all others', async () => {
  const vectors = FILES.flatMap((file) => readHttpVectors(file)).filter(
    ({ expect: what }) => what !== 'wait',
  );
  const all = vectors.flatMap((vector, i) =>
    asIngest(vector, i % 2 === 0).map((send) => ({ name: vector.name, send })),
  );
  await expectNoneLooser(all, 'v');
});

it('requests with lines that are changed at random are never taken more loosely than by all others', {
  timeout: 60_000 + MUTANTS * 200,
}, async () => {
  await expectNoneLooser(mutantRequests(MUTANTS, SEED, MUTANT_BASES()), 'm');
});
