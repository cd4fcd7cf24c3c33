import { closeSync, fdatasync, fstatSync, openSync, read, readFileSync, renameSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ReadMemory } from '../../contract.ts';

const syncFile = promisify(fdatasync);

/**
 * Segments that stay open: a part of the descriptors that the process may have, since connections need them too. Opening one again and
 * again costs more than a small append.
 */
const OPEN_MIN = 256;
const OPEN_MAX = 8_192;
const DESCRIPTORS_PART = 8;

/** One of a ring of them: each knows the one that was used before it, and the one that was used next. */
class OpenFile {
  readonly path: string;
  readonly fd: number;
  /** Operations in progress. */
  refCount = 0;
  /** Close it when the last of them has ended. */
  closing = false;
  before: OpenFile = this;
  next: OpenFile = this;

  constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  insertBefore(other: OpenFile): void {
    this.next = other;
    this.before = other.before;
    this.before.next = this;
    other.before = this;
  }

  remove(): void {
    this.before.next = this.next;
    this.next.before = this.before;
  }
}

/** The segments that are open. */
export class OpenFileCache {
  private readonly files = new Map<string, OpenFile>();
  /** The ring's beginning and end: behind it is the one whose use is the longest ago. A map would have to look past all that have left it. */
  private readonly ring = new OpenFile('', -1);
  private readonly openMax: number;
  /** Told how long each sync took, ms. */
  private readonly onSynced: (ms: number) => void;

  /** @param openMax so many stay open */
  constructor(onSynced: (ms: number) => void = () => {}, openMax = defaultOpenMax()) {
    this.onSynced = onSynced;
    this.openMax = openMax;
  }

  /** Syncs what was written to a file that is kept open. */
  async sync(fd: number): Promise<void> {
    const startMs = performance.now();
    await syncFile(fd);
    this.onSynced(performance.now() - startMs);
  }

  /** A new file. */
  create(path: string): void {
    this.add(path, openSync(path, 'wx+', 0o600));
  }

  /** The descriptor of a file, valid until this turn of the event loop ends; the file is opened when it isn't open. */
  descriptor(path: string): number {
    return this.open(path).fd;
  }

  /**
   * Calls `work` with the descriptor of a file of which nobody knows when it is used again: while as many are open as may be, it takes no other
   * one's place.
   * @param work told whether the file was opened just now: then it is the one that its path leads to
   */
  withFileOnce<T>(path: string, work: (fd: number, isOpenedNow: boolean) => T): T {
    const file = this.files.get(path);
    if (file) return work(file.fd, false);
    if (this.files.size < this.openMax) return work(this.open(path).fd, true);
    const fd = openSync(path, 'r+');
    try {
      return work(fd, true);
    } finally {
      closeSync(fd);
    }
  }

  /** Keeps a file open until `work` has ended. */
  async withFile<T>(path: string, work: (fd: number) => Promise<T>): Promise<T> {
    const file = this.open(path);
    file.refCount++;
    try {
      return await work(file.fd);
    } finally {
      file.refCount--;
      if (file.closing && file.refCount === 0) closeSync(file.fd);
    }
  }

  /** Reads up to `bytes` from an offset on, into memory of its own unless some is given. */
  read(path: string, offset: number, bytes: number, memory?: ReadMemory): Promise<Buffer> {
    return this.withFile(
      path,
      (fd) =>
        new Promise((resolve, reject) => {
          const buffer = memory?.acquire(bytes) ?? Buffer.allocUnsafeSlow(bytes);
          read(fd, buffer, 0, bytes, offset, (error, count) =>
            error ? reject(error) : resolve(buffer.subarray(0, count)),
          );
        }),
    );
  }

  /**
   * Gives a file another name, under which it stays open if it is; false when it can't have it, or may still be read as what it was: it is in use, has
   * another name besides, or isn't as long as it should be.
   */
  rename(from: string, to: string, bytes: number): boolean {
    const file = this.files.get(from);
    if (file && file.refCount > 0) return false;
    try {
      const fd = this.descriptor(from);
      const { nlink, size } = fstatSync(fd);
      if (nlink !== 1 || size !== bytes) return false;
      renameSync(from, to);
    } catch {
      return false;
    }
    const renamed = this.files.get(from);
    if (!renamed) return true;
    this.files.delete(from);
    renamed.remove();
    this.add(to, renamed.fd);
    return true;
  }

  /** Closes a file, as soon as nobody uses it. */
  close(path: string): void {
    const file = this.files.get(path);
    if (!file) return;
    this.files.delete(path);
    file.remove();
    if (file.refCount === 0) closeSync(file.fd);
    else file.closing = true;
  }

  closeAll(): void {
    for (const path of [...this.files.keys()]) this.close(path);
  }

  private open(path: string): OpenFile {
    const file = this.files.get(path);
    if (!file) return this.add(path, openSync(path, 'r+'));
    file.remove();
    file.insertBefore(this.ring);
    return file;
  }

  private add(path: string, fd: number): OpenFile {
    const file = new OpenFile(path, fd);
    this.files.set(path, file);
    file.insertBefore(this.ring);
    if (this.files.size > this.openMax) this.closeOldest();
    return file;
  }

  private closeOldest(): void {
    // The newest one is in use.
    let file = this.ring.next;
    while (file.refCount > 0 && file.next !== this.ring) file = file.next;
    if (file.next !== this.ring) this.close(file.path);
  }
}

function defaultOpenMax(): number {
  return Math.max(OPEN_MIN, Math.min(OPEN_MAX, Math.floor(descriptorLimit() / DESCRIPTORS_PART)));
}

/** The descriptors that this process may have; 0 where nobody says so. */
function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
