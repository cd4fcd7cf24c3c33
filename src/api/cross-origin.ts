/**
 * Pages of other origins that may post lines and read tails (CORS: the Fetch standard, section 3.2). None may unless a setting names them. Cookies
 * count for nothing in what they send: a page shows a token, a key, or the address of a log session.
 */
import type { FastifyInstance } from 'fastify';

/** Where lines come in, and where they are read. */
const PATHS =
  /^\/(?:logs|v1\/logs|apps\/[^/?]+\/(?:logs|log-counts|log-sessions)|sessions\/[^/?]+\/[^/?]+)(?:\?|$)/;
const ANY = '*';
/** What browsers don't send by themselves. */
const HEADERS =
  'authorization, content-type, content-encoding, last-event-id, logplex-msg-count, logplex-frame-id, logplex-drain-token';
/** So long a browser needn't ask again, seconds. */
const MAX_AGE_S = 600;

/**
 * Answers preflights, and marks answers that pages of these origins may read.
 * @param origins as browsers write them (`https://shop.example.com`), or `*`
 */
export function allowOrigins(server: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const isForAll = origins.includes(ANY);
  server.addHook('onRequest', (request, reply, done) => {
    const { origin, 'access-control-request-method': wanted } = request.headers;
    if (!PATHS.test(request.url)) return done();
    // Also of tails, which are written past the framework.
    const { raw } = reply;
    if (!isForAll) raw.setHeader('Vary', 'Origin');
    if (origin === undefined || !(isForAll || origins.includes(origin))) return done();
    raw.setHeader('Access-Control-Allow-Origin', isForAll ? ANY : origin);
    raw.setHeader('Access-Control-Expose-Headers', 'Retry-After');
    if (request.method !== 'OPTIONS' || wanted === undefined) return done();
    raw.setHeader('Access-Control-Allow-Methods', 'GET, POST');
    raw.setHeader('Access-Control-Allow-Headers', HEADERS);
    raw.setHeader('Access-Control-Max-Age', MAX_AGE_S);
    void reply.code(204).send();
  });
}
