import type { ServerResponse } from 'node:http';

/**
 * Calls `listener` when a response is over, or its connection is lost: at once when that is so already. A client may go while its request
 * waits for the store, say, and `close` was emitted then.
 */
export function onResponseClosed(response: ServerResponse, listener: () => void): void {
  if (response.destroyed) listener();
  else response.once('close', listener);
}
