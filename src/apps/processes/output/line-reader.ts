import type { Readable } from 'node:stream';
import type { HeldBytesFile } from './held-bytes.ts';

/** A line may grow to this before it is emitted in pieces: an endless line must not exhaust the memory. */
const PARTIAL_LINE_BYTES_MAX = 1_000_000;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const EMPTY = Buffer.alloc(0);

/** Handles what a process writes. The buffers may be reused when it returns. */
export interface LineHandler {
  /** Takes a line, without its line ending; with that it took so many bytes of the stream. */
  onLine(line: Buffer, byteCount: number): void;
  /**
   * Takes many lines at once, each with its newline. Without it they come one by one.
   *
   * @param onWritable to be called when it accepts more, if it didn't take all
   * @returns how many bytes it took: whole lines
   */
  onChunk?(chunk: Buffer, onWritable: () => void): number;
  /** Sees what there is of a line that was begun a quarter of a second ago, and again while it grows; undefined: that line has ended. */
  onPartial?(line: Buffer | undefined): void;
}

/** A line is shown before its end when it has waited for that so long, milliseconds. */
const PARTIAL_AFTER_MS = 250;

/**
 * Splits what a process writes into lines, and emits each as soon as its newline is there; those that came together, together.
 * The lines aren't copied: a dyno may write hundreds of thousands of them a second, and the handler copies them anyway.
 */
export class LineReader {
  /** Resolves when the last line was emitted. Never rejects. */
  readonly ended: Promise<void>;
  private readonly stream: Readable;
  private readonly handler: LineHandler;
  private readonly held: HeldBytesFile | undefined;
  private resolveEnded: () => void = () => {};
  /** Read, but from `position` on not split into lines yet: what comes after the line at which `pause()` came. */
  private unparsed: Buffer = EMPTY;
  private position = 0;
  /** A line whose newline hasn't come. */
  private partialLineBuffer: Buffer = EMPTY;
  private partialBytes = 0;
  /** So many bytes of it were saved. */
  private savedBytes = 0;
  private paused = false;
  /** Until the handler calls `onWritable`. */
  private awaitsWritable = false;
  /** Not even for `onWritable`. */
  private neverWaits = false;
  private parsing = false;
  private closed = false;
  private discarded = false;
  private partialTimer: NodeJS.Timeout | undefined;
  private isPartialShown = false;

  /**
   * @param stream its chunks may be reused when its `data` listeners have returned
   * @param leftover what another reader has read of it and not emitted
   * @param held has what was read and not emitted, for another process when this one is killed; closed with the stream
   */
  constructor(stream: Readable, handler: LineHandler, leftover: Buffer = EMPTY, held?: HeldBytesFile) {
    this.stream = stream;
    this.handler = handler;
    this.held = held;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    // Not pipe(): it would resume a stream that pause() has stopped.
    stream.on('data', this.take);
    // A read error ends the output like its end does; 'close' follows.
    stream.on('error', () => {});
    stream.once('close', () => {
      this.closed = true;
      this.parse();
      this.save();
      this.held?.close();
    });
    if (leftover.length > 0) this.take(leftover);
    else this.save(); // an earlier process's
  }

  private readonly take = (chunk: Buffer): void => {
    this.unparsed =
      this.position === this.unparsed.length
        ? chunk
        : Buffer.concat([this.unparsed.subarray(this.position), chunk]);
    this.position = 0;
    this.parse();
    if (this.handler.onPartial && this.partialBytes > 0) this.watchPartial();
    if (this.position < this.unparsed.length) {
      this.unparsed = Buffer.from(this.unparsed.subarray(this.position));
      this.position = 0;
    }
    this.save();
  };

  /** What was read of a line whose newline hasn't come. Valid until something else is read. */
  get partialLine(): Buffer {
    return this.partialLineBuffer.subarray(0, this.partialBytes);
  }

  /** Lines wait until the handler accepts them. */
  get isWaiting(): boolean {
    return this.awaitsWritable;
  }

  /** Stops reading: the pipe fills, and the process waits in its next write. No further line comes. */
  pause(): void {
    this.paused = true;
    this.stream.pause();
  }

  /** Emits what was read before the pause, which may bring the next pause, then reads on. */
  resume(): void {
    this.paused = false;
    this.continue();
  }

  /** Goes on without back-pressure: from now on lines are emitted one by one, to be taken or to be counted as lost. */
  stopWaiting(): void {
    this.neverWaits = true;
    this.awaitsWritable = false;
    this.resume();
  }

  /** Closes a pipe that something outside of the dyno keeps open. */
  close(): void {
    this.stream.destroy();
  }

  /** Ends at once: what was read and not emitted is discarded. */
  discard(): void {
    this.discarded = true;
    this.held?.close();
    this.stream.destroy();
    this.resume();
  }

  /** Ends at once, and leaves the rest of the stream to another reader. @returns what was read and not emitted */
  detach(): Buffer {
    const leftover = Buffer.concat([this.partialLine, this.unparsed.subarray(this.position)]);
    this.discard();
    return leftover;
  }

  private continue(): void {
    this.parse();
    this.save();
    if (!this.isBlocked) this.stream.resume();
  }

  private save(): void {
    this.held?.save(this.partialLine, this.unparsed.subarray(this.position), this.savedBytes);
    this.savedBytes = this.partialBytes;
  }

  private get isBlocked(): boolean {
    return this.paused || this.awaitsWritable;
  }

  private parse(): void {
    if (this.parsing) return; // resume() out of the middle of it
    this.parsing = true;
    while (this.position < this.unparsed.length && !this.isBlocked && !this.discarded)
      if (!this.emitChunk(this.unparsed)) this.parseLine(this.unparsed, this.position);
    this.parsing = false;
    if (!this.discarded && this.position < this.unparsed.length) return;
    this.unparsed = EMPTY;
    this.position = 0;
    if (!this.closed) return;
    if (this.partialBytes > 0 && !this.discarded) this.emitPartial(0, true);
    this.resolveEnded();
  }

  /** Emits whole lines together; false when there are none, or the first of them has begun before. */
  private emitChunk(bytes: Buffer): boolean {
    const { onChunk } = this.handler;
    if (!onChunk || this.neverWaits || this.partialBytes > 0) return false;
    const start = this.position;
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end <= start) return false;
    this.position += onChunk(bytes.subarray(start, end), this.onWritable);
    if (this.position === end) return true;
    this.awaitsWritable = true;
    this.stream.pause();
    return true;
  }

  private readonly onWritable = (): void => {
    if (!this.awaitsWritable) return;
    this.awaitsWritable = false;
    if (!this.paused) this.continue();
  };

  /** Emits the line that starts at `start`, or keeps its beginning. */
  private parseLine(bytes: Buffer, start: number): void {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found === -1 ? bytes.length : found;
    this.position = found === -1 ? end : end + 1;
    if (found !== -1 && this.partialBytes === 0) {
      const isReturned = end > start && bytes[end - 1] === RETURN;
      this.handler.onLine(bytes.subarray(start, isReturned ? end - 1 : end), end + 1 - start);
      return;
    }
    this.appendPartial(bytes, start, end);
    if (found !== -1) this.emitPartial(1, true);
    else if (this.partialBytes >= PARTIAL_LINE_BYTES_MAX) this.emitPartial(0, false);
  }

  private watchPartial(): void {
    this.partialTimer ??= setTimeout(() => {
      this.partialTimer = undefined;
      if (this.partialBytes === 0) return;
      this.isPartialShown = true;
      this.handler.onPartial?.(this.partialLine);
    }, PARTIAL_AFTER_MS).unref();
  }

  /** Adds to a partial line, in a buffer that doubles: it may come byte by byte. */
  private appendPartial(bytes: Buffer, start: number, end: number): void {
    const length = this.partialBytes + end - start;
    if (length > this.partialLineBuffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.partialLineBuffer.length * 2));
      this.partialLineBuffer.copy(larger, 0, 0, this.partialBytes);
      this.partialLineBuffer = larger;
    }
    bytes.copy(this.partialLineBuffer, this.partialBytes, start, end);
    this.partialBytes = length;
  }

  /**
   * @param endBytes of the newline that ended it
   * @param isWholeLine is it a line's end? A return there belongs to the line ending.
   */
  private emitPartial(endBytes: number, isWholeLine: boolean): void {
    const line = this.partialLineBuffer.subarray(0, this.partialBytes);
    this.partialLineBuffer = EMPTY;
    this.partialBytes = 0;
    this.savedBytes = 0;
    if (this.isPartialShown) {
      this.isPartialShown = false;
      this.handler.onPartial?.(undefined);
    }
    const isReturned = isWholeLine && line[line.length - 1] === RETURN;
    this.handler.onLine(isReturned ? line.subarray(0, -1) : line, line.length + endBytes);
  }
}
