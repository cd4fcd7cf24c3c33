import { type FileHandle, open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { Output } from '../../processes/output/output.ts';
import { type FilePlace, HEAD_BYTES, readHead, type Unread, unreadSince } from './file-place.ts';

/** How often the file is looked at. */
const LOOK_MS = 250;
/** Looks that a file that was moved away is still read for: its writer may have it open for a while. */
const LAST_LOOKS = 4;
const READ_BYTES = 65_536;

export interface FollowOptions {
  /** Where somebody left off; the file is read on from there. */
  readonly place?: FilePlace;
  /** Without a place: read what is there already; otherwise only what comes. */
  readonly fromStart: boolean;
  /** Gets every line, without its line ending. */
  readonly onLine: (line: Buffer) => void;
  /** One sentence for people: the file isn't there, was rotated, was cut off. */
  readonly onNotice: (message: string) => void;
}

/**
 * Follows a file that grows, and its successor when it is rotated, as `tail -F` does: it waits for a file that isn't there
 * yet; after a rename it goes on with the new file when the old one is read to its end, and after a truncation at the
 * beginning. Nothing is read ahead of the reader by more than a chunk: what it doesn't take stays in the file.
 */
export class FollowedFile {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  #place: FilePlace | undefined;
  #output: Output | undefined;
  #paused = false;

  constructor(path: string, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#place = options.place;
  }

  /** How far the lines go that were handed on: to be asked when the last one is safe. Undefined while there is no file. */
  get place(): FilePlace | undefined {
    return this.#place;
  }

  /** Follows the file until `stop()`. @param opened called as soon as its place is known */
  async follow(opened: () => void = () => {}): Promise<void> {
    let { fromStart } = this.#options;
    let start = 0;
    for (const { path, offset } of await this.#begin()) {
      fromStart = true;
      start = offset;
      if (path !== this.#path) await this.#readOn(path, offset);
    }
    for (let isFirst = true; ; isFirst = false) {
      const file = await this.#openWhenThere(() => {
        if (isFirst) this.#options.onNotice(`${this.#path} can't be read yet: waiting for it.`);
        fromStart = true; // a file that comes later is new from its start
        start = 0;
      });
      if (!file) return;
      try {
        if (!fromStart) start = (await file.stat()).size;
        await this.#readFile(file, start, true, isFirst ? opened : undefined);
      } finally {
        await file.close();
      }
      if (this.#stop.signal.aborted) return;
      fromStart = true;
      start = 0;
    }
  }

  /** Holds the lines back; some that are read already still come. */
  pause(): void {
    this.#paused = true;
    this.#output?.pause();
    if (this.#stop.signal.aborted) this.#output?.abandon();
  }

  resume(): void {
    this.#paused = false;
    this.#output?.resume();
  }

  /** Ends with what is written by now, or, when it is held back, here. The beginning of a line is left for the next time. */
  stop(): void {
    this.#stop.abort();
    if (this.#paused) this.#output?.abandon();
  }

  async #begin(): Promise<Unread[]> {
    if (!this.#place) return [];
    const unread = await unreadSince(this.#path, this.#place);
    if (unread) return unread;
    this.#options.onNotice(
      `The file that was ${this.#path} isn't there any more: what came behind byte ${this.#place.offset} of it is missing.`,
    );
    return [{ path: this.#path, offset: 0 }];
  }

  /** Reads a file that nobody writes to any more. */
  async #readOn(path: string, offset: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const file = await open(path, 'r').catch(() => undefined);
    if (!file) return;
    try {
      await this.#readFile(file, offset, false);
    } finally {
      await file.close();
    }
  }

  async #openWhenThere(onWait: () => void): Promise<FileHandle | undefined> {
    for (let waited = false; !this.#stop.signal.aborted; waited = true) {
      const file = await open(this.#path, 'r').catch(() => undefined);
      if (file) return file;
      if (!waited) onWait();
      await this.#pauseBetweenLooks();
    }
    return undefined;
  }

  /** Hands on the lines of one file, from `start` until it is replaced, cut off, or not to be waited for. */
  async #readFile(file: FileHandle, start: number, isLive: boolean, opened?: () => void): Promise<void> {
    const { ino, dev } = await file.stat();
    const head = { bytes: await readHead(file, Math.min(start, HEAD_BYTES)) };
    let offset = start;
    const move = (): void => {
      this.#place = {
        dev,
        ino,
        offset,
        head: head.bytes.toString('base64', 0, Math.min(offset, HEAD_BYTES)),
      };
    };
    move();
    opened?.();
    const chunks = Readable.from(this.#chunks(file, start, isLive, head), {
      objectMode: false,
      highWaterMark: READ_BYTES,
    });
    const { signal } = this.#stop;
    let isOver = false;
    const line = (bytes: Buffer, byteCount: number): void => {
      // Without its newline it is the beginning of a line, which may go on the next time.
      isOver ||= byteCount === bytes.length && signal.aborted && isLive;
      if (isOver) return;
      offset += byteCount;
      this.#options.onLine(bytes);
      move();
    };
    this.#output = new Output(chunks, { line });
    if (this.#paused) this.#output.pause();
    if (this.#paused && signal.aborted) this.#output.abandon();
    await this.#output.ended;
    this.#output = undefined;
  }

  async *#chunks(
    file: FileHandle,
    start: number,
    isLive: boolean,
    head: { bytes: Buffer },
  ): AsyncGenerator<Buffer> {
    const { signal } = this.#stop;
    let position = start;
    for (let looksLeft = LAST_LOOKS; ; ) {
      const isLast = signal.aborted || !isLive;
      const { size, ino, dev } = await file.stat();
      let isCutOff = size < position;
      while (!isCutOff) {
        const buffer = Buffer.allocUnsafe(READ_BYTES);
        const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
        if (bytesRead === 0) break;
        // It may have grown beyond where we were since: looked at behind the read, or it could happen between the two.
        isCutOff = !(await readHead(file, head.bytes.length)).equals(head.bytes);
        if (isCutOff) break;
        const chunk = buffer.subarray(0, bytesRead);
        if (position === head.bytes.length && position < HEAD_BYTES)
          head.bytes = Buffer.concat([head.bytes, chunk.subarray(0, HEAD_BYTES - position)]);
        position += bytesRead;
        looksLeft = LAST_LOOKS;
        yield chunk;
      }
      if (isCutOff) {
        this.#options.onNotice(`${this.#path} was cut off: reading it from its start.`);
        return;
      }
      if (isLast) return;
      const now = await stat(this.#path).catch(() => undefined);
      // Without a new file the old one may still be written to, for ever.
      if (now && (now.ino !== ino || now.dev !== dev) && --looksLeft === 0) {
        this.#options.onNotice(`${this.#path} was replaced: following the new file.`);
        return;
      }
      await this.#pauseBetweenLooks();
    }
  }

  #pauseBetweenLooks(): Promise<void> {
    return wait(LOOK_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}
