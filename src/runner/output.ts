import type { Readable } from 'node:stream';
import split2 from 'split2';

/** A line may grow to this before it is handed on in pieces: an endless line must not eat the memory. */
const UNBROKEN_BYTES_MAX = 1_000_000;

/**
 * A chunk (64 KiB) is cut up in portions of this size, so that a pause takes effect soon: as frames, 64 KiB of blank
 * lines are 4 MB.
 */
const PORTION_BYTES = 4_096;
const RETURN = 0x0d;

/** Cuts what a process writes into lines, and hands each on the moment its newline is there. */
export class Output {
  /** Resolves when the last line was handed on. Never rejects. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #splitter: ReturnType<typeof split2>;
  /** Read, but not cut into lines yet: the rest of the chunk at which `pause()` came. */
  #rest = '';
  #paused = false;
  #feeding = false;
  #closed = false;
  #abandoned = false;
  #unbrokenBytes = 0;
  /** The newline that is written now is ours. */
  #breaking = false;

  /** @param onLine gets each line, and how many bytes of the stream it took, with its line ending */
  constructor(stream: Readable, onLine: (line: Buffer, byteCount: number) => void) {
    this.#stream = stream;
    // split2 decodes its input as UTF-8, which destroys bytes that are none. So the bytes travel through it as latin1
    // strings, one character a byte, which it passes on as they are (`decodeStrings: false`), and become the same
    // bytes again afterwards. The lines leave through the mapper: nothing is pushed, so nothing waits in its buffer.
    const take = (line: string): void => {
      if (this.#abandoned) return;
      const byteCount = line.length + (this.#breaking || this.#splitter.writableEnded ? 0 : 1);
      const bytes = Buffer.from(line, 'latin1');
      const isReturned = bytes[bytes.length - 1] === RETURN && !this.#breaking;
      onLine(isReturned ? bytes.subarray(0, -1) : bytes, byteCount);
    };
    this.#splitter = split2('\n', take, { decodeStrings: false });
    this.#splitter.resume();
    this.ended = new Promise((resolve) => {
      this.#splitter.once('finish', resolve);
    });
    stream.setEncoding('latin1');
    // Not pipe(): it would resume a stream that pause() has stopped.
    stream.on('data', (chunk: string) => {
      this.#rest += chunk;
      this.#feed();
    });
    // A read error ends the output like its end does; 'close' follows.
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#closed = true;
      this.#feed();
    });
  }

  /** Stops reading: the pipe fills, and the process waits in its next write. Up to 4 KiB of lines still come. */
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
    if (this.#abandoned) this.#rest = '';
    if (this.#feeding) return; // resume() out of the middle of it
    this.#feeding = true;
    let at = 0;
    while (at < this.#rest.length && !this.#paused) {
      this.#split(this.#rest.slice(at, at + PORTION_BYTES));
      at += PORTION_BYTES;
    }
    this.#rest = this.#rest.slice(at);
    this.#feeding = false;
    if (this.#closed && this.#rest === '') this.#splitter.end();
  }

  #split(portion: string): void {
    const lastBreak = portion.lastIndexOf('\n');
    this.#unbrokenBytes =
      lastBreak === -1 ? this.#unbrokenBytes + portion.length : portion.length - lastBreak - 1;
    this.#splitter.write(portion);
    if (this.#unbrokenBytes < UNBROKEN_BYTES_MAX) return;
    this.#unbrokenBytes = 0;
    this.#breaking = true;
    this.#splitter.write('\n');
    this.#breaking = false;
  }
}
