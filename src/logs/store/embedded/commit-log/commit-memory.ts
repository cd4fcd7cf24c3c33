import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { BufferPool } from '../../../../common/buffers/buffer-pool.ts';
import { requireWritten } from '../../../../common/files/write-fully.ts';

/** Of the memory's pieces, unless a write is larger. */
const PIECE_BYTES = 1_048_576;
/** Pieces that are kept for the next file. */
const PIECES_KEPT = 20;

const NO_BYTES = Buffer.alloc(0);

/** Of all files of commit logs: left to the garbage collector, they would look like memory that grows. */
const pieces = new BufferPool({ buffersMax: PIECES_KEPT, stepBytes: PIECE_BYTES });

/** The pieces that are held, of all files of commit logs, each under its number. */
const numbered: Buffer[] = [];
const freeNumbers: number[] = [];

/** A piece that is held. */
export function pieceOf(number: number): Buffer {
  return numbered[number];
}

/** Where entries of streams are that are in memory no more. */
export interface EntryFile {
  /** Reads `bytes` from `offset` on to `at` of `out`; returns how many there are. @throws the system's error */
  read(out: Buffer, at: number, bytes: number, offset: number): number;
}

/** The entries of a file of the commit log in memory, until all of them are in segments. */
export class CommitMemory {
  /** Numbers of its pieces. */
  private readonly held: number[] = [];
  /** Where each of them begins in the file: what is kept is there as well, one behind the other. */
  private readonly starts: number[] = [];
  private keptBytes = 0;
  /** Where the next bytes go in the newest piece. */
  private end = 0;

  /** Makes room for so many bytes that stay together: they go into {@link piece} from {@link at} on. */
  reserve(bytes: number): void {
    if (this.held.length > 0 && this.end + bytes <= this.piece.length) return;
    const number = freeNumbers.pop() ?? numbered.length;
    numbered[number] = pieces.acquire(Math.max(bytes, PIECE_BYTES));
    this.held.push(number);
    this.starts.push(this.keptBytes);
    this.end = 0;
  }

  /** The newest piece, once something was reserved. */
  get piece(): Buffer {
    return pieceOf(this.pieceNumber);
  }

  get pieceNumber(): number {
    return this.held[this.held.length - 1];
  }

  /** Where in {@link piece} the bytes begin that were reserved last. */
  get at(): number {
    return this.end;
  }

  /** So many bytes were written there, and stay. */
  keep(bytes: number): void {
    this.end += bytes;
    this.keptBytes += bytes;
  }

  /** Where in the file is what is at `at` of a piece; undefined when that is none of its pieces. */
  offsetInFile(piece: number, at: number): number | undefined {
    const i = this.held.indexOf(piece);
    return i === -1 ? undefined : this.starts[i] + at;
  }

  /** Nobody reads it any more. */
  release(): void {
    this.starts.length = 0;
    for (const number of this.held.splice(0)) {
      pieces.release(numbered[number]);
      numbered[number] = NO_BYTES;
      freeNumbers.push(number);
    }
  }
}

/** A file of the commit log, open for what is read there, also when its name is gone. */
export class OpenCommitFile implements EntryFile {
  private readonly fd: number;

  /** @throws the system's error */
  constructor(path: string) {
    this.fd = openSync(path, 'r');
  }

  read(out: Buffer, at: number, bytes: number, offset: number): number {
    return readSync(this.fd, out, at, bytes, offset);
  }

  /** Nobody reads it any more. */
  close(): void {
    closeSync(this.fd);
  }
}

/**
 * What was in the memory of a full file of the commit log, moved out of it: the entries of each stream one behind the other. The file has no
 * name, and nothing depends on it: what is in it is in the commit log, too. Mostly it is gone before the system has written it to the disk.
 */
export class SpilledEntries implements EntryFile {
  private readonly fd: number;
  /** What isn't in the file yet: from {@link writtenBytes} on. */
  private tail: Buffer;
  private tailBytes = 0;
  private writtenBytes = 0;

  /** @param path of the file until it is open */
  constructor(path: string) {
    this.fd = openSync(path, 'w+', 0o600);
    unlinkSync(path);
    this.tail = pieces.acquire(PIECE_BYTES);
  }

  /** How many were kept: where the next ones begin, for {@link read}. */
  get bytes(): number {
    return this.writtenBytes + this.tailBytes;
  }

  /** Makes room for so many bytes behind {@link bytes}, to be written into the memory that is returned; then {@link keep} them. */
  reserve(bytes: number): Buffer {
    if (bytes > this.tail.length) throw new Error('that is too much to be worth it');
    if (this.tailBytes + bytes > this.tail.length) this.flush();
    return this.tail.subarray(this.tailBytes, this.tailBytes + bytes);
  }

  /** So many bytes were written into what {@link reserve} gave, and stay. */
  keep(bytes: number): void {
    this.tailBytes += bytes;
  }

  /** Reads what was kept. */
  read(out: Buffer, at: number, bytes: number, offset: number): number {
    if (offset < this.writtenBytes) return readSync(this.fd, out, at, bytes, offset);
    const from = offset - this.writtenBytes;
    return this.tail.copy(out, at, from, from + bytes);
  }

  /** Nothing is added any more: all of it goes into the file, unless that fails, and its memory is given back. */
  finish(): void {
    this.flush();
    this.releaseTail();
  }

  /** Nobody reads it any more: the file, which has no name, is gone with that. */
  close(): void {
    closeSync(this.fd);
    this.releaseTail();
  }

  private releaseTail(): void {
    if (this.tail.length > 0) pieces.release(this.tail);
    this.tail = NO_BYTES;
  }

  /** What can't be written stays in memory. @throws the system's error */
  private flush(): void {
    const { tail, tailBytes } = this;
    const written = writeSync(this.fd, tail, 0, tailBytes, this.writtenBytes);
    requireWritten(written, tailBytes);
    this.writtenBytes += tailBytes;
    this.tailBytes = 0;
  }
}
