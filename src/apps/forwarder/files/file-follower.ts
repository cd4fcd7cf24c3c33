import { type FileHandle, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { LineReader } from '../../processes/output/line-reader.ts';
import { Fifo } from './fifo.ts';
import {
  FINGERPRINT_BYTES,
  type FileCheckpoint,
  findCopy,
  findUnread,
  openForReading,
  readFingerprint,
  type UnreadPart,
} from './file-checkpoint.ts';
import { HoleFilter } from './hole-filter.ts';

/** How often the file is polled. */
const POLL_INTERVAL_MS = 250;
/** A rotated file is still polled so often: its writer may have it open for a while. */
const POLLS_AFTER_ROTATION = 4;
const READ_BYTES = 65_536;
/** Times of files may be so much behind the clock. */
const FILE_TIME_SLACK_MS = 1_000;
const NUL = 0x00;

/** Bytes near the beginning of a file that tell it from another one. */
interface FileHead {
  start: number;
  bytes: Buffer;
}

export interface FollowOptions {
  /** Reading resumes from here. */
  readonly checkpoint?: FileCheckpoint;
  /** Without a checkpoint: read what is there already; otherwise only what comes. */
  readonly fromStart: boolean;
  /** Gets every line, without its line ending. */
  readonly onLine: (line: Buffer) => void;
  /** One sentence for people: the file isn't there, was rotated, was truncated, has a hole. */
  readonly onNotice: (message: string) => void;
}

/**
 * Follows a file that grows, and its successor when it is rotated, as `tail -F` does: it waits for a file that isn't there
 * yet; after a rename it goes on with the new file when the old one is read to its end, and after a truncation at the
 * beginning. At most a chunk is read ahead: what the handler doesn't take stays in the file. A FIFO is read from one writer to the next.
 */
export class FileFollower {
  private readonly path: string;
  private readonly options: FollowOptions;
  private readonly stopController = new AbortController();
  private currentCheckpoint: FileCheckpoint | undefined;
  private lineReader: LineReader | undefined;
  private paused = false;
  /** The file is called otherwise by now. */
  private isReplaced = false;
  /** The file was cut off, while it was followed or since: its writer may have left a hole. */
  private isTruncated = false;

  constructor(path: string, options: FollowOptions) {
    this.path = path;
    this.options = options;
    this.currentCheckpoint = options.checkpoint;
  }

  /** How far the emitted lines go: to be saved when the last one is safe. Undefined while there is no file. */
  get checkpoint(): FileCheckpoint | undefined {
    return this.currentCheckpoint;
  }

  /** Follows the file until `stop()`. @param onOpened called as soon as there is a checkpoint */
  async follow(onOpened: () => void = () => {}): Promise<void> {
    let { fromStart } = this.options;
    let start = 0;
    for (const { path, offset } of await this.findUnread()) {
      fromStart = true;
      start = offset;
      if (path !== this.path) await this.readRotated(path, offset);
    }
    for (let isFirst = true; ; isFirst = false) {
      const file = await this.openWhenPresent(() => {
        if (isFirst) this.options.onNotice(`${this.path} can't be read yet: waiting for it.`);
        fromStart = true; // a file that comes later is new from its start
        start = 0;
      });
      if (!file) return;
      try {
        const stats = await file.stat();
        if (stats.isFIFO()) {
          if (await this.readFifo(file)) return;
          fromStart = true;
          continue;
        }
        if (!fromStart) start = stats.size;
        await this.readFile(file, start, true, isFirst ? onOpened : undefined);
      } finally {
        await file.close();
      }
      if (this.stopController.signal.aborted) return;
      if (this.isReplaced) await this.readBetween();
      fromStart = true;
      start = 0;
    }
  }

  /** Emits what there is between a file that was replaced and the one that has its name now: it may have been rotated several times. */
  private async readBetween(): Promise<void> {
    for (let before: FileCheckpoint | undefined; this.currentCheckpoint !== before; ) {
      before = this.currentCheckpoint;
      const unread = before && (await findUnread(this.path, before));
      // Behind what is read already. Names may change meanwhile: it is looked for anew each time.
      const next = unread?.[1];
      if (next && next.path !== this.path) await this.readRotated(next.path, next.offset);
    }
    this.isReplaced = false;
  }

  /** Emits what is written to a FIFO until it is replaced. @returns true when nothing comes after it */
  private async readFifo(file: FileHandle): Promise<boolean> {
    this.currentCheckpoint = undefined; // it has no places to return to
    const { signal } = this.stopController;
    const fifo = new Fifo(file, this.path, signal);
    while (!fifo.isOver) {
      const chunks = Readable.from(fifo.readUntilClosed(), { objectMode: false, highWaterMark: READ_BYTES });
      await this.emitLines(chunks, (line) => this.options.onLine(line));
    }
    return signal.aborted || fifo.hasEnded;
  }

  /** Pauses the lines; some that are read already still come. */
  pause(): void {
    this.paused = true;
    this.lineReader?.pause();
    if (this.stopController.signal.aborted) this.lineReader?.discard();
  }

  /** Lines come again, from where they were paused. */
  resume(): void {
    this.paused = false;
    this.lineReader?.resume();
  }

  /** Ends with what is written by now, or, when it is paused, here. A partial line is left for the next time. */
  stop(): void {
    this.stopController.abort();
    if (this.paused) this.lineReader?.discard();
  }

  private async findUnread(): Promise<UnreadPart[]> {
    if (!this.currentCheckpoint) return [];
    const unread = await findUnread(this.path, this.currentCheckpoint);
    const now = await stat(this.path).catch(() => undefined);
    this.isTruncated = unread?.length !== 1 && now?.ino === this.currentCheckpoint.ino;
    if (unread) return unread;
    this.options.onNotice(
      `The file that was ${this.path} isn't there any more: what came behind byte ${this.currentCheckpoint.offset} of it is missing.`,
    );
    return [{ path: this.path, offset: 0 }];
  }

  /** Reads a rotated file to its end. */
  private async readRotated(path: string, offset: number): Promise<void> {
    if (this.stopController.signal.aborted) return;
    const file = await openForReading(path);
    if (!file) return;
    try {
      await this.readFile(file, offset, false);
    } finally {
      await file.close();
    }
  }

  private async openWhenPresent(onWait: () => void): Promise<FileHandle | undefined> {
    for (let waited = false; !this.stopController.signal.aborted; waited = true) {
      const file = await openForReading(this.path);
      if (file) return file;
      if (!waited) onWait();
      await this.waitForNextPoll();
    }
    return undefined;
  }

  /** Emits the lines of one file, from `start` until it is replaced, truncated, or, unless it is live, at its end. */
  private async readFile(
    file: FileHandle,
    start: number,
    isLive: boolean,
    onOpened?: () => void,
  ): Promise<void> {
    const { ino, dev } = await file.stat();
    const head = await this.readHead(file, start);
    const holes = new HoleFilter(start, this.isTruncated, (byteCount) =>
      this.options.onNotice(
        `${byteCount} NUL bytes of ${this.path} were skipped: nobody wrote them. A writer leaves such a hole when its file is cut off and it doesn't open it for appending.`,
      ),
    );
    const updateCheckpoint = (): void => {
      const { offset } = holes;
      this.currentCheckpoint = {
        dev,
        ino,
        offset,
        head: head.bytes.toString('base64', 0, Math.max(0, Math.min(offset - head.start, FINGERPRINT_BYTES))),
        ...(head.start > 0 && { headStart: head.start }),
      };
    };
    updateCheckpoint();
    onOpened?.();
    const chunks = Readable.from(this.readChunks(file, start, isLive, head, holes), {
      objectMode: false,
      highWaterMark: READ_BYTES,
    });
    const { signal } = this.stopController;
    let hasStopped = false;
    const line = (bytes: Buffer, byteCount: number): void => {
      // Without its newline it is a partial line, which may go on the next time.
      hasStopped ||= byteCount === bytes.length && signal.aborted && isLive;
      if (hasStopped) return;
      holes.advance(byteCount);
      this.options.onLine(bytes);
      updateCheckpoint();
    };
    await this.emitLines(chunks, line);
  }

  private async emitLines(
    chunks: Readable,
    onLine: (line: Buffer, byteCount: number) => void,
  ): Promise<void> {
    this.lineReader = new LineReader(chunks, { onLine });
    if (this.paused) this.lineReader.pause();
    if (this.paused && this.stopController.signal.aborted) this.lineReader.discard();
    await this.lineReader.ended;
    this.lineReader = undefined;
  }

  /** What tells the file from others, of what is read of it already. */
  private async readHead(file: FileHandle, start: number): Promise<FileHead> {
    if (start === 0) return { start: 0, bytes: Buffer.alloc(0) };
    const checkpoint = this.options.checkpoint;
    const read = async (from: number): Promise<FileHead> => ({
      start: from,
      bytes: await readFingerprint(file, from, Math.min(start - from, FINGERPRINT_BYTES)),
    });
    if (checkpoint?.offset === start) return read(checkpoint.headStart ?? 0);
    const head = await read(0);
    // It begins with a hole, which many files have alike.
    return head.bytes.every((byte) => byte === NUL) ? read(Math.max(0, start - FINGERPRINT_BYTES)) : head;
  }

  private async *readChunks(
    file: FileHandle,
    start: number,
    isLive: boolean,
    head: FileHead,
    holes: HoleFilter,
  ): AsyncGenerator<Buffer> {
    const { signal } = this.stopController;
    let position = start;
    /** When it was read to its end, and when it had been written then. */
    let atEndMs = Date.now();
    let atEndMtimeMs = 0;
    for (let pollsLeft = POLLS_AFTER_ROTATION; ; ) {
      const isLast = signal.aborted || !isLive;
      const { size, ino, dev, mtimeMs } = await file.stat();
      let isTruncated = size < position;
      while (!isTruncated) {
        const buffer = Buffer.allocUnsafe(READ_BYTES);
        const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
        // It may have been truncated and have grown to our position or beyond: checked after the read, or it could happen in between.
        if (bytesRead > 0 || mtimeMs !== atEndMtimeMs)
          isTruncated = !(await readFingerprint(file, head.start, head.bytes.length)).equals(head.bytes);
        if (isTruncated) break;
        if (bytesRead === 0) {
          atEndMs = Date.now();
          atEndMtimeMs = mtimeMs;
          break;
        }
        const chunk = buffer.subarray(0, bytesRead);
        extendHead(head, chunk, position);
        position += bytesRead;
        pollsLeft = POLLS_AFTER_ROTATION;
        yield* holes.filter(chunk);
      }
      if (isTruncated) {
        this.isTruncated = true;
        yield* this.readCopy({ dev, ino, offset: position, ...encodeHead(head) }, atEndMs, holes);
        yield* holes.end();
        this.options.onNotice(`${this.path} was cut off: reading it from its start.`);
        return;
      }
      if (isLast) {
        if (!isLive) yield* holes.end();
        return;
      }
      const now = await stat(this.path).catch(() => undefined);
      // Without a new file the old one may still be written to, forever.
      if (now && (now.ino !== ino || now.dev !== dev) && --pollsLeft === 0) {
        yield* holes.end();
        this.isTruncated = false;
        this.isReplaced = true;
        this.options.onNotice(`${this.path} was replaced: following the new file.`);
        return;
      }
      await this.waitForNextPoll();
    }
  }

  /** What was written between the last look at a file and the copy that was made of it before it was cut off. */
  private async *readCopy(
    unread: FileCheckpoint,
    atEndMs: number,
    holes: HoleFilter,
  ): AsyncGenerator<Buffer> {
    const path = await findCopy(this.path, unread, atEndMs - FILE_TIME_SLACK_MS);
    const copy = path && (await openForReading(path));
    if (!copy) return;
    try {
      for (let position = unread.offset; ; ) {
        const { bytesRead, buffer } = await copy.read(
          Buffer.allocUnsafe(READ_BYTES),
          0,
          READ_BYTES,
          position,
        );
        if (bytesRead === 0) return;
        position += bytesRead;
        yield* holes.filter(buffer.subarray(0, bytesRead));
      }
    } finally {
      await copy.close();
    }
  }

  private waitForNextPoll(): Promise<void> {
    return wait(POLL_INTERVAL_MS, undefined, { signal: this.stopController.signal }).catch(() => undefined);
  }
}

/** Takes what a chunk has of the bytes that tell the file from others: not the NULs that it begins with. */
function extendHead(head: FileHead, chunk: Buffer, position: number): void {
  if (head.bytes.length === 0) {
    const first = chunk.findIndex((byte) => byte !== NUL);
    head.start = position + (first === -1 ? chunk.length : first);
  }
  const end = head.start + head.bytes.length;
  if (end < position || end >= position + chunk.length || head.bytes.length >= FINGERPRINT_BYTES) return;
  const from = end - position;
  const more = chunk.subarray(from, from + FINGERPRINT_BYTES - head.bytes.length);
  head.bytes = Buffer.concat([head.bytes, more]);
}

function encodeHead({ start, bytes }: FileHead): Pick<FileCheckpoint, 'head' | 'headStart'> {
  return { head: bytes.toString('base64'), headStart: start };
}
