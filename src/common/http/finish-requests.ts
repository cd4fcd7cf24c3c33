import type { ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** When the server closes, requests that change something may take so long; then their connections are closed. */
export const REQUEST_GRACE_MS = 10_000;
/** Tails and other reads never end by themselves, and can be repeated: they aren't waited for. */
const READS: readonly (string | undefined)[] = ['GET', 'HEAD'];

/**
 * A server that closes stops listening, and answers the requests that change something as the last ones of their connections: who sent
 * them couldn't know whether they had been carried out. To be called before other hooks are added.
 * @param graceMs how long they may take
 * @returns a `preClose` hook that waits for those requests; to be added as the last one.
 */
export function finishRequestsOnClose(
  server: FastifyInstance,
  graceMs: () => number = () => REQUEST_GRACE_MS,
): () => Promise<void> {
  const inFlight = new Set<ServerResponse>();
  let onFinished = (): void => {};
  server.server.on('request', ({ method }, response) => {
    if (READS.includes(method)) return;
    inFlight.add(response);
    response.on('close', () => {
      inFlight.delete(response);
      if (inFlight.size === 0) onFinished();
    });
  });
  server.addHook('preClose', async () => {
    // Only that: Node's own `close` of an HTTP server would close the connections that wait for a request as well.
    NetServer.prototype.close.call(server.server);
    for (const response of inFlight) response.shouldKeepAlive = false;
  });
  return () =>
    new Promise((resolve) => {
      if (inFlight.size === 0) return resolve();
      const timer = setTimeout(resolve, graceMs());
      onFinished = () => {
        clearTimeout(timer);
        resolve();
      };
    });
}
