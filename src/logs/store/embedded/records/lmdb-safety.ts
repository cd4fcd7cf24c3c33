/** Guards against what ends the process or corrupts LMDB's file, and explains its errors to the people who run the server or send lines. */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TailraceError } from '../../../../common/errors.ts';
import { errorMessage } from '../../../../common/text/error-message.ts';

/** With less than this the disk counts as full, for lines. */
const FREE_BYTES_MIN = 8 * 1_048_576;
/** With less than this it does for records too: those that lines need, and those of whoever makes room, have what is between. */
const RECORD_FREE_BYTES_MIN = 2 * 1_048_576;
/** A disk can be full whatever it says, by a quota: after a write that failed so, none is made for this long. */
const FULL_MS = 1_000;
/** Lines count as refused for so long after a write of them that failed: a disk may fail them alone, as by a limit on the size of files. */
const LINES_FAILED_MS = 2_000;
/** The disk is looked at, or tried, when so much was written, or so much time has passed, since the last time. */
const CHECK_BYTES = 1_048_576;
const CHECK_INTERVAL_MS = 20;

/** A page, as LMDB writes it. */
const PROBE = Buffer.alloc(4_096);
const PROBE_FILE = 'probe';

/**
 * Watches the disk, so that LMDB is asked for no write that would fail: liblmdb as lmdb 3.5 has it then writes a sentence of up to 110 bytes
 * into 100 (`last_error` in mdb_page_flush), and the process ends sooner or later (`malloc(): corrupted top size`). So the disk is never
 * filled to the last byte, and after any write that failed it is tried with one of ours first.
 */
export class DiskSpaceGuard {
  private readonly folder: string;
  private writtenBytes = 0;
  private checkedAtMs = 0;
  private freeBytes = Number.POSITIVE_INFINITY;
  private fullUntilMs = 0;
  /** Why the last write failed, until one of ours works. */
  private failure: TailraceError | undefined;
  private probeAtMs = 0;
  private linesFailed: { readonly atMs: number; readonly message: string } | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws TailraceError `store_full` when there is no space for so many bytes more. */
  requireSpace(bytes: number): void {
    this.require(bytes, FREE_BYTES_MIN);
  }

  /** Before every other write to LMDB. @throws TailraceError `store_full`, or `unavailable` when the disk can't be written */
  requireRoomForRecords(): void {
    this.require(0, RECORD_FREE_BYTES_MIN);
    if (this.failure) this.probe(this.failure);
  }

  /** As {@link requireRoomForRecords}, for what can wait: it throws nothing. */
  hasRoomForRecords(): boolean {
    try {
      this.requireRoomForRecords();
      return true;
    } catch {
      return false;
    }
  }

  /** Why lines can't be stored now, as a sentence; undefined: they can, as far as is known. */
  get trouble(): string | undefined {
    try {
      this.requireSpace(0);
      if (this.failure) this.probe(this.failure);
    } catch (error) {
      return (error as TailraceError).message;
    }
    const failed = this.linesFailed;
    return failed && performance.now() - failed.atMs < LINES_FAILED_MS ? failed.message : undefined;
  }

  /**
   * A write to the folder has failed: of records, or of lines, which may be tried again at once. Returns what to say about it; an error that
   * says so already, as it is.
   */
  async noteFailure(error: unknown, of: 'records' | 'lines' = 'records'): Promise<TailraceError> {
    if (error instanceof TailraceError) return error;
    const failure = await commitError(error, this.folder);
    const now = performance.now();
    if (of === 'records' && failure.code === 'store_full') this.fullUntilMs = now + FULL_MS;
    this.failure = failure;
    if (of === 'lines') this.linesFailed = { atMs: now, message: failure.message };
    // What lines couldn't be written for may be over: room is made while they are tried again.
    this.probeAtMs = of === 'records' ? now + CHECK_INTERVAL_MS : now;
    return failure;
  }

  private probe(failure: TailraceError): void {
    const now = performance.now();
    if (now < this.probeAtMs) throw failure;
    const path = join(this.folder, PROBE_FILE);
    try {
      writeFileSync(path, PROBE, { mode: 0o600 });
      rmSync(path);
      this.failure = undefined;
    } catch (error) {
      rmSync(path, { force: true });
      this.probeAtMs = now + CHECK_INTERVAL_MS;
      throw cantWrite(error);
    }
  }

  private require(bytes: number, freeBytesMin: number): void {
    this.writtenBytes += bytes;
    const now = performance.now();
    if (this.writtenBytes > CHECK_BYTES || now - this.checkedAtMs > CHECK_INTERVAL_MS) {
      this.freeBytes = freeBytes(this.folder);
      this.writtenBytes = 0;
      this.checkedAtMs = now;
    }
    if (this.freeBytes < freeBytesMin || now < this.fullUntilMs) throw storeFull();
  }
}

function storeFull(cause?: unknown): TailraceError {
  return new TailraceError(
    'store_full',
    'The disk that holds the data folder is full: make room; nothing that was accepted is lost.',
    { cause },
  );
}

/** A failed commit or write as a TailraceError. */
async function commitError(error: unknown, folder: string): Promise<TailraceError> {
  const cause =
    error instanceof Error && 'commitError' in error ? await rejectionReason(error.commitError) : error;
  const text = errorMessage(cause);
  // LMDB says "input/output error" when a write was cut short.
  if (/no space|ENOSPC|MDB_MAP_FULL|quota/i.test(text) || freeBytes(folder) < FREE_BYTES_MIN)
    return storeFull(cause);
  return cantWrite(cause);
}

function cantWrite(cause: unknown): TailraceError {
  return new TailraceError(
    'unavailable',
    `The store can't write (${errorMessage(cause)}): nothing that was accepted is lost.`,
    { cause },
  );
}

/** LMDB gives the reason as a promise that is rejected with it. */
async function rejectionReason(reason: unknown): Promise<unknown> {
  try {
    return await reason;
  } catch (error) {
    return error;
  }
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
