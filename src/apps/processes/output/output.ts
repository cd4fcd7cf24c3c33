import type { Readable } from 'node:stream';

/** A line may grow to this before it is handed on in pieces: an endless line must not eat the memory. */
const UNBROKEN_BYTES_MAX = 1_000_000;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);

/** Takes what a process writes. The bytes may become others when it returns. */
export interface OutputTaker {
  /** Takes a line, without its line ending; with that it took so many bytes of the stream. */
  line(line: Buffer, byteCount: number): void;
  /**
   * Takes many lines at once, each with its newline. Without it they come one by one.
   *
   * @param onRoom to be called when it takes more, if it didn't take all
   * @returns how many bytes it took: whole lines
   */
  run?(run: Buffer, onRoom: () => void): number;
}

/**
 * Cuts what a process writes into lines, and hands each on the moment its newline is there; those that came together, together.
 * The lines stay where they were read: a dyno may write hundreds of thousands of them a second, and whoever takes them
 * copies them anyway.
 */
export class Output {
  /** Resolves when the last line was handed on. Never rejects. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #taker: OutputTaker;
  #resolve: () => void = () => {};
  /** Read, but from `#at` on not cut into lines yet: what comes behind the line at which `pause()` came. */
  #rest: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a line whose newline hasn't come. */
  #begun: Buffer = NOTHING;
  #begunBytes = 0;
  #paused = false;
  /** Until the taker has room. */
  #waiting = false;
  /** Nobody waits any more: not for the taker's room either. */
  #hurried = false;
  #feeding = false;
  #closed = false;
  #abandoned = false;

  /** @param stream its chunks may become others when its `data` listeners have returned */
  constructor(stream: Readable, taker: OutputTaker) {
    this.#stream = stream;
    this.#taker = taker;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    // Not pipe(): it would resume a stream that pause() has stopped.
    stream.on('data', (chunk: Buffer) => {
      this.#rest =
        this.#at === this.#rest.length ? chunk : Buffer.concat([this.#rest.subarray(this.#at), chunk]);
      this.#at = 0;
      this.#feed();
      if (this.#at === this.#rest.length) return;
      this.#rest = Buffer.from(this.#rest.subarray(this.#at));
      this.#at = 0;
    });
    // A read error ends the output like its end does; 'close' follows.
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#closed = true;
      this.#feed();
    });
  }

  /** Lines have to wait until whoever takes them has room. */
  get waits(): boolean {
    return this.#waiting;
  }

  /** Stops reading: the pipe fills, and the process waits in its next write. No further line comes. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#goOn();
  }

  /** Goes on, whoever has to take the lines: from now on they come one by one, to be taken or to be counted as lost. */
  hurry(): void {
    this.#hurried = true;
    this.#waiting = false;
    this.resume();
  }

  /** Gives up on what may still come, when something outside of the dyno keeps the pipe open. */
  close(): void {
    this.#stream.destroy();
  }

  /** Ends at once: what was read and not handed on is forgotten. */
  abandon(): void {
    this.#abandoned = true;
    this.#stream.destroy();
    this.resume();
  }

  #goOn(): void {
    this.#feed();
    if (!this.#held) this.#stream.resume();
  }

  get #held(): boolean {
    return this.#paused || this.#waiting;
  }

  #feed(): void {
    if (this.#feeding) return; // resume() out of the middle of it
    this.#feeding = true;
    while (this.#at < this.#rest.length && !this.#held && !this.#abandoned)
      if (!this.#handRun(this.#rest)) this.#cut(this.#rest, this.#at);
    this.#feeding = false;
    if (!this.#abandoned && this.#at < this.#rest.length) return;
    this.#rest = NOTHING;
    this.#at = 0;
    if (!this.#closed) return;
    if (this.#begunBytes > 0 && !this.#abandoned) this.#handBegun(0, true);
    this.#resolve();
  }

  /** Hands on whole lines together; false when there are none, or the first of them has begun before. */
  #handRun(bytes: Buffer): boolean {
    const { run } = this.#taker;
    if (!run || this.#hurried || this.#begunBytes > 0) return false;
    const start = this.#at;
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end <= start) return false;
    this.#at += run(bytes.subarray(start, end), this.#onRoom);
    if (this.#at === end) return true;
    this.#waiting = true;
    this.#stream.pause();
    return true;
  }

  readonly #onRoom = (): void => {
    if (!this.#waiting) return;
    this.#waiting = false;
    if (!this.#paused) this.#goOn();
  };

  /** Hands on the line that starts at `start`, or keeps its beginning. */
  #cut(bytes: Buffer, start: number): void {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found === -1 ? bytes.length : found;
    this.#at = found === -1 ? end : end + 1;
    if (found !== -1 && this.#begunBytes === 0) {
      const isReturned = end > start && bytes[end - 1] === RETURN;
      this.#taker.line(bytes.subarray(start, isReturned ? end - 1 : end), end + 1 - start);
      return;
    }
    this.#keep(bytes, start, end);
    if (found !== -1) this.#handBegun(1, true);
    else if (this.#begunBytes >= UNBROKEN_BYTES_MAX) this.#handBegun(0, false);
  }

  /** Adds to the beginning of a line. In memory that doubles: it may come byte by byte. */
  #keep(bytes: Buffer, start: number, end: number): void {
    const length = this.#begunBytes + end - start;
    if (length > this.#begun.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#begun.length * 2));
      this.#begun.copy(larger, 0, 0, this.#begunBytes);
      this.#begun = larger;
    }
    bytes.copy(this.#begun, this.#begunBytes, start, end);
    this.#begunBytes = length;
  }

  /**
   * @param endBytes of the newline that ended it
   * @param whole is it a line's end? A return there belongs to the line ending.
   */
  #handBegun(endBytes: number, whole: boolean): void {
    const line = this.#begun.subarray(0, this.#begunBytes);
    this.#begun = NOTHING;
    this.#begunBytes = 0;
    const isReturned = whole && line[line.length - 1] === RETURN;
    this.#taker.line(isReturned ? line.subarray(0, -1) : line, line.length + endBytes);
  }
}
