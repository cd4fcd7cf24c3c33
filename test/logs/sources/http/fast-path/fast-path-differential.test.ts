/**
 * The requests of test/fixtures/http, as senders of lines would send them: what the fast path takes, Node's HTTP server takes too, and for
 * the same bodies. It may leave any request to Node.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FastPathReader, ReadStep } from '../../../../../src/logs/sources/http/fast-path/fast-path-reader.ts';
import { type HttpPeer, seenRequests, startNodePeer } from '../../../../support/http/peers.ts';
import { exchangeBytes } from '../../../../support/http/raw-exchange.ts';
import { mapConcurrently, readHttpVectors } from '../../../../support/http/vectors.ts';
import { basicAuth } from '../../../../support/senders/send-lines.ts';

const FILES = ['request-lines.json', 'request-fields.json', 'request-bodies.json'];
const FIELDS = `Authorization: ${basicAuth('t.a')}\r\nContent-Type: application/logplex-1\r\n`;
const LAST = 'GET /last HTTP/1.1\r\nHost: myapp.localhost\r\nConnection: close\r\n\r\n';
const AT_A_TIME = 40;

let node: HttpPeer;
beforeAll(async () => {
  node = await startNodePeer();
});
afterAll(() => node.close());

/** A vector's first request as one with lines, when it can be made one. */
function asLogRequest(send: string): string[] {
  // A sender's fields before those of the vector, and behind them.
  if (!send.startsWith('POST / HTTP/1.1\r\n')) return [];
  const rest = send.slice('POST / HTTP/1.1\r\n'.length);
  const before = `POST /logs HTTP/1.1\r\n${FIELDS}${rest}`;
  return [before, before.replace('\r\n\r\n', `\r\n${FIELDS.replaceAll('A', 'X-A')}\r\n`)];
}

/** The vectors' fields in requests with a body. */
function withFields(send: string): string[] {
  const fields = /^GET \/ HTTP\/1\.1\r\n(.*?)\r\n\r\n$/s.exec(send)?.[1];
  if (fields === undefined) return [];
  return [`POST /logs HTTP/1.1\r\n${FIELDS}${fields}\r\nContent-Length: 5\r\n\r\nhello`];
}

/** The bodies that the fast path reads before it gives the connection to Node, and what it read them from. */
function readByFastPath(bytes: string): { bodies: string[]; read: string } {
  const reader = new FastPathReader();
  const bodies: string[] = [];
  let step = reader.receive(Buffer.from(bytes, 'latin1'));
  while (step === ReadStep.headRead) {
    step = reader.acceptHead();
    if (step !== ReadStep.requestRead) break;
    bodies.push(reader.body.toString('latin1'));
    step = reader.next();
  }
  const left = step === ReadStep.notFastPath ? reader.unread.length : 0;
  return { bodies, read: bytes.slice(0, bytes.length - left) };
}

describe.each(FILES)('the requests of %s', (file) => {
  const requests = readHttpVectors(file)
    .filter(({ expect: expected }) => expected !== 'wait')
    .flatMap(({ name, send }) =>
      [...asLogRequest(send), ...withFields(send)].map((bytes) => ({ name, bytes })),
    );
  it('are never taken more loosely by the fast path than by Node', async () => {
    const taken = requests
      .map(({ name, bytes }) => ({ name, ...readByFastPath(bytes) }))
      .filter(({ bodies }) => bodies.length > 0);
    const wrong = await mapConcurrently(taken, AT_A_TIME, async ({ name, read, bodies }) => {
      const seen = seenRequests(await exchangeBytes(node.port, read + LAST)).map(({ body }) => body);
      const same = bodies.every((body, i) => body === seen[i]);
      return same ? [] : [`${name}: ${JSON.stringify(bodies)}, Node: ${JSON.stringify(seen)}`];
    });
    expect(wrong.flat()).toEqual([]);
    // It does take what is as it should be.
    if (file !== 'request-lines.json') expect(taken.length).toBeGreaterThan(5);
  });
});
