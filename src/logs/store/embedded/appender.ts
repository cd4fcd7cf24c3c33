import { ftruncateSync, fdatasync as sync, writev, writevSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { nameEntry } from './layout.ts';
import type { OpenFiles } from './open-files.ts';
import type { Segment } from './segment.ts';
import type { Placed, Stream } from './stream.ts';

const fdatasync = promisify(sync);

/** Up to this size a batch is written at once: that takes less time than having it written by another thread. */
const AT_ONCE_BYTES = 65_536;
/**
 * A write that took this long means that the system makes writers wait (it does so for 10 ms and more; less is another process's
 * turn): then another thread waits, for so long.
 */
const SLOW_MS = 8;
const SLOW_FOR_MS = 1_000;
/** In one write: below the system's limit of 1,024 pieces. */
const BATCHES_MAX = 500;
const BYTES_MAX = 8_388_608;

interface Waiting {
  readonly placed: Placed;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes placed batches to the end of a stream, in their order. What is written is in the system's page cache, and survives
 * `kill -9`; with durability `disk` it is synced before it is acknowledged.
 */
export class Appender {
  private readonly stream: Stream;
  private readonly files: OpenFiles;
  private readonly durability: 'process' | 'disk';
  private waiting: Waiting[] = [];
  private writing: Promise<void> | undefined;
  private slowUntilMs = 0;
  /** Its name is on the disk. */
  private named: Segment | undefined;
  /** A sync is under way: until it ends, the system may make whoever writes wait for the disk. */
  private syncing = false;
  /** What was written to since the last sync. */
  private readonly unsynced = new Set<Segment>();

  constructor(stream: Stream, files: OpenFiles, durability: 'process' | 'disk') {
    this.stream = stream;
    this.files = files;
    this.durability = durability;
  }

  get idle(): boolean {
    return this.writing === undefined;
  }

  /** Resolves when what waits now is written, or has failed. */
  async settled(): Promise<void> {
    await this.writing;
  }

  /** Resolves when the batch can be read. When it can't be written, it and all that came behind it are void. */
  async append(placed: Placed): Promise<void> {
    const { bytes } = placed.stored;
    if (
      this.idle &&
      !this.syncing &&
      this.durability === 'process' &&
      bytes.length <= AT_ONCE_BYTES &&
      placed.stored.storedAtMs >= this.slowUntilMs
    )
      return this.writeAtOnce(placed);
    return new Promise((resolve, reject) => {
      this.waiting.push({ placed, resolve, reject });
      this.writing ??= this.writeWaiting().finally(() => {
        this.writing = undefined;
      });
    });
  }

  /**
   * Brings everything that was written to the disk. One file after the other: with two dozen at once, no thread was left for the
   * batches that come meanwhile, and they waited for 150 ms.
   */
  async sync(): Promise<void> {
    this.syncing = true;
    try {
      for (const segment of [...this.unsynced]) {
        this.unsynced.delete(segment);
        if (this.stream.segments.includes(segment)) await this.syncOne(segment);
      }
    } finally {
      this.syncing = false;
    }
  }

  private async syncOne(segment: Segment): Promise<void> {
    try {
      await this.files.during(segment.path, fdatasync);
    } catch (error) {
      this.unsynced.add(segment);
      throw error;
    }
  }

  private writeAtOnce(placed: Placed): void {
    const startMs = performance.now();
    try {
      const segment = this.stream.writable();
      const pieces = piecesOf([placed]);
      const written = writevSync(this.files.use(segment.path), pieces, segment.size);
      this.written(segment, [placed], written, sizeOf(pieces));
    } catch (error) {
      this.stream.displace();
      throw error;
    }
    if (performance.now() - startMs > SLOW_MS) this.slowUntilMs = placed.stored.storedAtMs + SLOW_FOR_MS;
  }

  private async writeWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.takeGroup();
      const placed = group.map((waiting) => waiting.placed);
      try {
        const segment = this.stream.writable();
        const pieces = piecesOf(placed);
        const written = await this.files.during(segment.path, async (fd) => {
          const count = await writeTo(fd, pieces, segment.size);
          if (this.durability === 'disk') await this.secure(segment, fd);
          return count;
        });
        this.written(segment, placed, written, sizeOf(pieces));
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.stream.displace();
        for (const { reject } of [...group, ...this.waiting.splice(0)]) reject(error);
      }
    }
  }

  /** Brings what a segment holds to the disk, and its name, without which nobody would find it after a power cut. */
  private async secure(segment: Segment, fd: number): Promise<void> {
    await fdatasync(fd);
    if (segment === this.named) return;
    const folder = dirname(segment.path);
    await syncFolder(folder);
    // The stream's folder may be as new as the segment, and the one of all streams.
    if (!this.named) for (const above of [dirname(folder), dirname(dirname(folder))]) await syncFolder(above);
    this.named = segment;
  }

  /** As much as goes into one write. */
  private takeGroup(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { placed } of this.waiting) {
      if (count > 0 && (count >= BATCHES_MAX || bytes + placed.stored.bytes.length > BYTES_MAX)) break;
      bytes += placed.stored.bytes.length;
      count++;
    }
    return this.waiting.splice(0, count);
  }

  private written(segment: Segment, placed: readonly Placed[], written: number, expected: number): void {
    if (written < expected) {
      // Nothing of it counts; without it there may be room for what comes next.
      ftruncateSync(this.files.use(segment.path), segment.size);
      throw new Error('ENOSPC: the write was cut short');
    }
    this.unsynced.add(segment);
    this.stream.acknowledge(segment, placed);
  }
}

/** Brings the names of a folder's files to the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function piecesOf(batches: readonly Placed[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const { stored, name } of batches) {
    if (name !== undefined) pieces.push(nameEntry(name));
    pieces.push(stored.bytes);
  }
  return pieces;
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  let size = 0;
  for (const { length } of pieces) size += length;
  return size;
}

function writeTo(fd: number, pieces: Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, pieces, position, (error, written) => (error ? reject(error) : resolve(written)));
  });
}
