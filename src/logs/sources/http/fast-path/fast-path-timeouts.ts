import type { FastPathState } from './fast-path-reader.ts';

/** Node's limits for the connections of a server, ms; 0: none. */
export interface HttpTimeouts {
  /** For the head of the first request, from the connection's start on. */
  readonly headersTimeout: number;
  /** For a whole request. */
  readonly requestTimeout: number;
  /** For the next request, after a response. */
  readonly keepAliveTimeout: number;
}

/**
 * What becomes of a connection that has waited for so long, as Node's server has it for its own: `close` one on which no next
 * request has come, respond with a `timeout` (408) to one whose request isn't there in full; undefined: it may wait on.
 */
export function overdueAction(
  waitsFor: FastPathState,
  waitedMs: number,
  { headersTimeout, requestTimeout, keepAliveTimeout }: HttpTimeouts,
): 'close' | 'timeout' | undefined {
  const isOver = (limitMs: number): boolean => limitMs > 0 && waitedMs > limitMs;
  switch (waitsFor) {
    case 'next request':
      return isOver(keepAliveTimeout) ? 'close' : undefined;
    case 'first request':
      return isOver(headersTimeout) ? 'timeout' : undefined;
    case 'body':
      return isOver(requestTimeout) ? 'timeout' : undefined;
    default:
      return undefined;
  }
}
