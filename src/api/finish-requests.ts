import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** When the server closes, requests that change something may take so long; then their connections are closed. */
const GRACE_MS = 10_000;
/** Tails and other reads never end by themselves, and can be repeated: they aren't waited for. */
const READS: readonly (string | undefined)[] = ['GET', 'HEAD'];

/**
 * Before a server closes its connections, requests that change something are answered, as the last ones of their connections: who sent
 * them couldn't know whether they had been carried out.
 */
export function finishRequestsOnClose(server: FastifyInstance): void {
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
  server.addHook(
    'preClose',
    () =>
      new Promise<void>((resolve) => {
        for (const response of inFlight) response.shouldKeepAlive = false;
        if (inFlight.size === 0) return resolve();
        const timer = setTimeout(resolve, GRACE_MS);
        onFinished = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
  );
}
