/**
 * Datagrams that come together, and are taken together: what is done once a call of the fast path, and once a batch of an app's lines, is
 * done for many of them. Few come in one turn of the event loop: one after a lull is taken at the end of its turn, and those behind it with
 * others of the next milliseconds.
 */
import { Framing } from '../../syslog/framing.ts';

/** A batch is taken when it is so large, */
const BATCH_BYTES = 131_072;
/** or has so many datagrams: each may have to be looked at by itself. */
const BATCH_DATAGRAMS = 256;
/** `65507 `, the length of the longest datagram. */
const COUNT_BYTES_MAX = 6;
const SPACE = 0x20;
const ZERO = 0x30;

/** Takes lines: `LineReceiver` is one. */
export interface DatagramTaker {
  takeFastPath(bytes: Uint8Array, pos: number, framing: Framing): number;
}

/** @typeParam T what takes the lines of one sender */
export class DatagramBatch<T extends DatagramTaker> {
  private readonly takeOne: (taker: T, bytes: Buffer, start: number, end: number) => void;
  private readonly finish: (taker: T) => void;
  private readonly lingerMs: number;
  private readonly bytes = Buffer.allocUnsafeSlow(BATCH_BYTES);
  private length = 0;
  private count = 0;
  private taker: T | undefined;
  private isScheduled = false;
  /** When the last ones were taken, on the clock of `performance.now()`. */
  private takenMs = Number.NEGATIVE_INFINITY;

  /**
   * @param takeOne takes the line `bytes[start, end)`, which the fast path left: the bytes will be others afterwards
   * @param finish is called behind the lines of one sender
   * @param lingerMs they may wait for others until so long after those before them were taken
   */
  constructor(
    takeOne: (taker: T, bytes: Buffer, start: number, end: number) => void,
    finish: (taker: T) => void,
    lingerMs: number,
  ) {
    this.takeOne = takeOne;
    this.finish = finish;
    this.lingerMs = lingerMs;
  }

  /** Adds a datagram, a line, of which there are `length` bytes. */
  add(datagram: Uint8Array, length: number, taker: T): void {
    if (
      taker !== this.taker ||
      this.count === BATCH_DATAGRAMS ||
      this.length + COUNT_BYTES_MAX + length > BATCH_BYTES
    )
      this.flush();
    this.taker = taker;
    this.count++;
    const { bytes } = this;
    // As a counted frame.
    let at =
      this.length + (length < 10 ? 1 : length < 100 ? 2 : length < 1_000 ? 3 : length < 10_000 ? 4 : 5);
    const content = at + 1;
    bytes[at] = SPACE;
    let rest = length;
    do {
      const tenth = (rest / 10) | 0;
      bytes[--at] = ZERO + rest - tenth * 10;
      rest = tenth;
    } while (rest > 0);
    bytes.set(length === datagram.length ? datagram : datagram.subarray(0, length), content);
    this.length = content + length;
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.onTurnEnded);
  }

  /** Takes what there is. */
  flush(): void {
    const { taker } = this;
    if (this.length === 0 || !taker) return;
    // Another object, since the fast path knows bytes that it has seen by theirs.
    const bytes = this.bytes.subarray(0, this.length);
    this.length = 0;
    this.count = 0;
    for (let at = taker.takeFastPath(bytes, 0, Framing.datagrams); at < bytes.length; ) {
      let length = 0;
      while (bytes[at] !== SPACE) length = length * 10 + (bytes[at++] - ZERO);
      const start = at + 1;
      at = start + length;
      this.takeOne(taker, bytes, start, at);
      at = taker.takeFastPath(bytes, at, Framing.datagrams);
    }
    this.finish(taker);
  }

  private readonly onTurnEnded = (): void => {
    const restMs = this.takenMs + this.lingerMs - performance.now();
    if (restMs > 0) setTimeout(this.onLingerEnded, restMs);
    else this.onLingerEnded();
  };

  private readonly onLingerEnded = (): void => {
    this.isScheduled = false;
    this.takenMs = performance.now();
    this.flush();
  };
}
