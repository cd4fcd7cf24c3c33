import type { Readable } from 'node:stream';

/** A line may grow to this before it is handed on in pieces: an endless line must not eat the memory. */
const UNBROKEN_BYTES_MAX = 1_000_000;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts what a process writes into lines, and hands each on the moment its newline is there. The lines stay where they
 * were read: a dyno may write hundreds of thousands of them a second, and whoever takes them copies them anyway.
 */
export class Output {
  /** Resolves when the last line was handed on. Never rejects. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #onLine: (line: Buffer, byteCount: number) => void;
  #resolve: () => void = () => {};
  /** Read, but from `#at` on not cut into lines yet: what comes behind the line at which `pause()` came. */
  #rest: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a line whose newline hasn't come. */
  #begun: Buffer = NOTHING;
  #begunBytes = 0;
  #paused = false;
  #feeding = false;
  #closed = false;
  #abandoned = false;

  /** @param onLine gets each line, and how many bytes of the stream it took, with its line ending */
  constructor(stream: Readable, onLine: (line: Buffer, byteCount: number) => void) {
    this.#stream = stream;
    this.#onLine = onLine;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    // Not pipe(): it would resume a stream that pause() has stopped.
    stream.on('data', (chunk: Buffer) => {
      this.#rest =
        this.#at === this.#rest.length ? chunk : Buffer.concat([this.#rest.subarray(this.#at), chunk]);
      this.#at = 0;
      this.#feed();
    });
    // A read error ends the output like its end does; 'close' follows.
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#closed = true;
      this.#feed();
    });
  }

  /** Stops reading: the pipe fills, and the process waits in its next write. No further line comes. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#feed();
    if (!this.#paused) this.#stream.resume();
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

  #feed(): void {
    if (this.#feeding) return; // resume() out of the middle of it
    this.#feeding = true;
    while (this.#at < this.#rest.length && !this.#paused && !this.#abandoned) this.#cut(this.#rest, this.#at);
    this.#feeding = false;
    if (!this.#abandoned && this.#at < this.#rest.length) return;
    this.#rest = NOTHING;
    this.#at = 0;
    if (!this.#closed) return;
    if (this.#begunBytes > 0 && !this.#abandoned) this.#handBegun(0, true);
    this.#resolve();
  }

  /** Hands on the line that starts at `start`, or keeps its beginning. */
  #cut(bytes: Buffer, start: number): void {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found === -1 ? bytes.length : found;
    this.#at = found === -1 ? end : end + 1;
    if (found !== -1 && this.#begunBytes === 0) {
      const isReturned = end > start && bytes[end - 1] === RETURN;
      this.#onLine(bytes.subarray(start, isReturned ? end - 1 : end), end + 1 - start);
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
    this.#onLine(isReturned ? line.subarray(0, -1) : line, line.length + endBytes);
  }
}
