import { writeSync } from 'node:fs';

/**
 * Writes all of it, however little the system takes at a time.
 * @param position in the file; left out: where the last write has ended
 * @throws the system's error
 */
export function writeFullySync(fd: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length; )
    at += writeSync(fd, bytes, at, bytes.length - at, position === undefined ? null : position + at);
}
