/** Follows a file that grows, and its successor when it is rotated, as `tail -F` does. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

/** How often the file is looked at. */
const LOOK_MS = 250;
/** Looks that a file that was moved away is still read for: its writer may have it open for a while. */
const LAST_LOOKS = 4;
const READ_BYTES = 65_536;

export interface FollowOptions {
  /** Read what is there already; otherwise only what comes. */
  readonly fromStart: boolean;
  readonly signal: AbortSignal;
  /** One sentence for people: the file isn't there, was rotated, was cut off. */
  readonly onNotice: (message: string) => void;
}

/**
 * What is written to the file, as a stream of bytes. It waits for a file that isn't there yet; after a rename it goes on
 * with the new file when the old one is read to its end, and after a truncation at the beginning. Nothing is read ahead
 * of the reader: what it doesn't take stays in the file. Ends when the signal is aborted, with what was written by then.
 */
export function followFile(path: string, options: FollowOptions): Readable {
  return Readable.from(chunks(path, options), { objectMode: false, highWaterMark: READ_BYTES });
}

async function* chunks(path: string, { fromStart, signal, onNotice }: FollowOptions): AsyncGenerator<Buffer> {
  let skipFirst = !fromStart;
  for (let isFirst = true; ; isFirst = false) {
    const file = await openWhenThere(path, signal, () => {
      skipFirst = false; // a file that comes later is new from its start
      if (isFirst) onNotice(`${path} can't be read yet: waiting for it.`);
    });
    if (!file) return;
    try {
      yield* readUntilReplaced(path, file, skipFirst, signal, onNotice);
    } finally {
      await file.close();
    }
    skipFirst = false;
    if (signal.aborted) return;
    onNotice(`${path} was replaced: following the new file.`);
  }
}

async function openWhenThere(
  path: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<FileHandle | undefined> {
  for (let waited = false; !signal.aborted; waited = true) {
    const file = await open(path, 'r').catch(() => undefined);
    if (file) return file;
    if (!waited) onWait();
    await pause(signal);
  }
  return undefined;
}

async function* readUntilReplaced(
  path: string,
  file: FileHandle,
  skip: boolean,
  signal: AbortSignal,
  onNotice: (message: string) => void,
): AsyncGenerator<Buffer> {
  let position = skip ? (await file.stat()).size : 0;
  for (let looksLeft = LAST_LOOKS; ; ) {
    const isLast = signal.aborted;
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      looksLeft = LAST_LOOKS;
      yield buffer.subarray(0, bytesRead);
    }
    if (isLast) return;
    const { size, ino, dev } = await file.stat();
    if (size < position) {
      onNotice(`${path} was cut off: reading it from its start.`);
      position = 0;
      continue;
    }
    const now = await stat(path).catch(() => undefined);
    // Without a new file the old one may still be written to, for ever.
    if (now && (now.ino !== ino || now.dev !== dev) && --looksLeft === 0) return;
    await pause(signal);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
}
