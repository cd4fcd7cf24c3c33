/** Writes a file of an archive on this machine, from where it is stored. */

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, type Gzip } from 'node:zlib';
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { FoundLine } from '../store/contract.ts';
import type { ArchivedRange } from './catalog.ts';
import { ArchiveLineWriter } from './formats/archive-line.ts';

const CHUNK_BYTES = 262_144;
const FILE_MODE = 0o640;

/** What was written. */
export interface WrittenFile {
  readonly lines: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly receivedFromMs: number;
  readonly receivedToMs: number;
  readonly streams: readonly ArchivedRange[];
}

/** One gzipped file of lines as JSON; lines come in the order of their streams. It ends with {@link finish} or {@link abort}. */
export class ArchiveFileWriter {
  private readonly path: string;
  private readonly lines = new ArchiveLineWriter();
  private readonly gzip: Gzip = createGzip();
  private readonly hash = createHash('sha256');
  private readonly written: Promise<void>;
  private readonly ranges = new Map<AppId, { name: string; first: number; last: number; lines: number }>();
  private bytes = 0;
  private taken = 0;
  private count = 0;
  private firstMs = Number.POSITIVE_INFINITY;
  private lastMs = Number.NEGATIVE_INFINITY;
  private receivedFromMs = Number.POSITIVE_INFINITY;
  private receivedToMs = Number.NEGATIVE_INFINITY;

  constructor(path: string) {
    this.path = path;
    const counted = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.hash.update(chunk);
        this.bytes += chunk.length;
        done(undefined, chunk);
      },
    });
    const file: WriteStream = createWriteStream(path, { mode: FILE_MODE });
    this.written = pipeline(this.gzip, counted, file);
    // It is waited for in the end; what fails before that fails the writes.
    this.written.catch(() => undefined);
  }

  /** Bytes of lines, before they are compressed. */
  get rawBytes(): number {
    return this.taken + this.lines.length;
  }

  /** Adds a line; when {@link isFull}, {@link drain} is waited for before the next one. */
  add(line: FoundLine, name: string): void {
    this.lines.add(line, name);
    this.count++;
    this.firstMs = Math.min(this.firstMs, line.timeMs);
    this.lastMs = Math.max(this.lastMs, line.timeMs);
    this.receivedFromMs = Math.min(this.receivedFromMs, line.receivedAtMs);
    this.receivedToMs = Math.max(this.receivedToMs, line.receivedAtMs);
    const range = this.ranges.get(line.stream);
    if (range) {
      range.last = line.sequence;
      range.lines++;
    } else this.ranges.set(line.stream, { name, first: line.sequence, last: line.sequence, lines: 1 });
  }

  /** So much waits to be compressed that {@link drain} has to come first. */
  get isFull(): boolean {
    return this.lines.length >= CHUNK_BYTES;
  }

  /** Compresses what was added, and waits for the disk when it is behind. @throws the file system's error */
  async drain(): Promise<void> {
    const chunk = this.lines.take();
    this.taken += chunk.length;
    if (this.gzip.write(chunk)) return;
    await Promise.race([new Promise((resolve) => this.gzip.once('drain', resolve)), this.written]);
  }

  /** The file, once it is durable. */
  async finish(): Promise<WrittenFile> {
    await this.drain();
    this.gzip.end();
    await this.written;
    const handle = await open(this.path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    const { count: lines, bytes, firstMs, lastMs, receivedFromMs, receivedToMs } = this;
    const streams = [...this.ranges].map(([id, range]) => ({ id, ...range }));
    const sha256 = this.hash.digest('hex');
    const rawBytes = this.taken;
    return { lines, bytes, rawBytes, sha256, firstMs, lastMs, receivedFromMs, receivedToMs, streams };
  }

  /** Gives it up. */
  async abort(): Promise<void> {
    this.gzip.destroy();
    await this.written.catch(() => undefined);
  }
}

/** SHA-256 of a file, in hexadecimal; undefined when there is none. */
export async function fileSha256(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
