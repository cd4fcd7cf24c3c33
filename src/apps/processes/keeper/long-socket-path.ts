/** A socket's path may have some hundred bytes (unix(7)); data folders may be deeper than that. */
import { closeSync, openSync } from 'node:fs';
import { keeperSocket } from './messages.ts';

const PATH_BYTES_MAX = 100;

/**
 * A keeper's socket by a path that is short enough: a long one is reached through its folder's descriptor, on Linux.
 * @returns with what to call when the path isn't needed any more
 */
export function listenableSocket(folder: string): { readonly path: string; close(): void } {
  const path = keeperSocket(folder);
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path, close: () => {} };
  const fd = openSync(folder, 'r');
  return { path: keeperSocket(`/proc/self/fd/${fd}`), close: () => closeSync(fd) };
}
