/**
 * Files of trimmed segments are used again for new ones of the same stream: to write over pages that are there takes a third of what new
 * ones do, and nothing has to be removed. Behind what a segment has written there are bytes of an older one then, which never count:
 *
 * - behind each write there are zeros in the place of a header ({@link END_MARK}), written with it, and last;
 * - what is there of a write that was cut short (`kill -9`) has none, and behind it there is still an entry of the older segment, whole, with
 *   the places in the stream that it had: so a start tells it from damage (`torn-end.ts`). Where too few of the older bytes would be left for that,
 *   the file is cut off at its end, and grows again;
 * - it is cut off, too, when nothing more is written to it.
 *
 * A file is spare once its stream is noted without it, which is on the disk, and nobody reads it: who reads it elsewhere looks afterwards
 * whether it still has its name. Why: docs/decisions/0146.
 */
import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { HEADROOM } from '../../../syslog/batch.ts';
import type { OpenFileCache } from './open-file-cache.ts';
import type { Segment } from './segment.ts';

/** Ends the name of a spare file: a start removes what has it. */
export const SPARE_SUFFIX = '.spare';
/** What is behind the last entry while older bytes follow. */
export const END_MARK: Uint8Array = new Uint8Array(HEADROOM);
/** Of the older bytes so many stay behind each write: more than twice the largest entry (a batch and a frame id), so that one of them is whole. */
const OLD_BYTES_MIN = 1_048_576;
/** One is written to while the next one is noted as trimmed. */
const SPARES_MAX = 2;

interface Spare {
  readonly path: string;
  readonly bytes: number;
}

/** The spare files of a stream. */
export class SpareFiles {
  private readonly files: OpenFileCache;
  private spares: Spare[] = [];
  private isClosed: boolean;
  /** Of those that are kept, so many have waited since the last look. */
  private idle = 0;

  /** @param isUsed otherwise none is kept */
  constructor(files: OpenFileCache, isUsed: boolean) {
    this.files = files;
    this.isClosed = !isUsed;
  }

  /**
   * Keeps the file of a segment that isn't a part of its stream any more; false when it has to be removed.
   * @param bytesMax of a segment: larger ones are not kept
   */
  keep(segment: Segment, bytesMax: number): boolean {
    const { path, size } = segment;
    if (this.isClosed || !segment.isOfThisProcess || this.spares.length >= SPARES_MAX) return false;
    if (size <= OLD_BYTES_MIN || size > bytesMax) return false;
    const spare = path + SPARE_SUFFIX;
    if (!this.files.rename(path, spare, size)) return false;
    this.spares.push({ path: spare, bytes: size });
    return true;
  }

  /**
   * Makes a spare file that of a new segment.
   * @returns how many older bytes it has; 0 when there is none
   */
  take(path: string): number {
    for (let spare = this.spares.shift(); spare; spare = this.spares.shift()) {
      this.idle = Math.min(this.idle, this.spares.length);
      if (!existsSync(path) && this.files.rename(spare.path, path, spare.bytes)) return spare.bytes;
      this.remove(spare);
    }
    return 0;
  }

  /** Removes those that nobody has needed since the last call. */
  removeIdle(): void {
    for (const spare of this.spares.splice(0, this.idle)) this.remove(spare);
    this.idle = this.spares.length;
  }

  removeAll(): void {
    for (const spare of this.spares.splice(0)) this.remove(spare);
  }

  /** Removes all of them; none is kept from now on. */
  close(): void {
    this.isClosed = true;
    this.removeAll();
  }

  private remove({ path }: Spare): void {
    this.files.close(path);
    void unlink(path).catch(() => {}); // tried again at the next start
  }
}

/** Are enough older bytes left behind a write of so many bytes? */
export function leavesOldBytes({ size, oldEnd }: Segment, bytes: number): boolean {
  return size + bytes + END_MARK.length + OLD_BYTES_MIN <= oldEnd;
}
