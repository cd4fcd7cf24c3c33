import type { IncomingMessage } from 'node:http';

/** Whoever sends more than this after it was refused is disconnected. */
const DISCARD_BYTES_MAX = 64 * 1_048_576;

/**
 * Reads and discards what is left of a request's body. Its sender may not read an answer before it has sent everything, and a
 * connection that is closed meanwhile is reset: the answer is lost.
 * @returns when there is no more of it
 */
export function discardBody(request: IncomingMessage): Promise<void> {
  request.unpipe();
  request.resume();
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = DISCARD_BYTES_MAX;
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) request.destroy();
    });
    request.once('end', resolve);
    request.once('close', resolve);
    request.once('error', () => resolve());
  });
}
