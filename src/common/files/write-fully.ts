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

/**
 * Of whoever gives a write all it has, and takes back what a part of it left: write(2) takes less where the disk fills up, and its next call would
 * say so. @throws Error that says `ENOSPC` when fewer bytes were written than there are
 */
export function requireWritten(written: number, bytes: number): void {
  if (written < bytes) throw new Error('ENOSPC: the write was cut short');
}
