/**
 * Lines that wait to be stored, in files that outlive a process which is killed: a file for each batch, written as lines are added.
 *
 *     file    u32 magic | u32 bytes | u32 lines | u32 0 | f64 number | 16 bytes of the frame id | the frames
 *
 * Nothing is synced: after another start of the machine the files may hold anything, so they are in a folder of this one.
 */
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../../common/errors.ts';
import { makeDirectory } from '../../../common/files/make-directory.ts';
import { writeFullySync } from '../../../common/files/write-fully.ts';
import { JOURNAL_BUDGET, JOURNAL_PAUSE } from '../../processes/output/held-bytes.ts';
import { LineBatch } from '../line-batch.ts';

const MAGIC = 0x314a5254;
const HEADER_BYTES = 40;
/** Bytes of the header up to its count of lines. */
const COUNTS_END = 12;
const FRAME_ID_AT = 24;
/** Files that are kept open for the next batches: one that is sent, and one that is filled. */
const FREE_FILES_MAX = 2;

interface JournalFile {
  readonly path: string;
  readonly fd: number;
  /** Of the batch it has. */
  readonly number: number;
  writtenBytes: number;
  /** What was added to its batch isn't in it any more. */
  isBroken: boolean;
}

/** The journal of one app. What can't be written is in memory alone: nothing waits for it, and nothing fails. */
export class BatchJournal {
  private readonly folder: string;
  private readonly onWarning: (message: string) => void;
  private readonly files = new Map<LineBatch, JournalFile>();
  private readonly free: JournalFile[] = [];
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private readonly leftoverPaths = new Map<LineBatch, string>();
  /** Batches of a process that was killed, oldest first, under the ids that they had. */
  readonly leftover: readonly LineBatch[];
  private nextNumber: number;
  private nextName: number;
  private hasWarned = false;

  /**
   * @param folder of an app, and of this start of the machine; it is made
   * @param onWarning told once in one sentence when lines can't be written
   * @throws the system's error when the folder can't be made or read
   */
  constructor(folder: string, onWarning: (message: string) => void) {
    this.folder = folder;
    this.onWarning = onWarning;
    this.header.writeUInt32LE(MAGIC, 0);
    makeDirectory(folder, 0o700);
    const found: { batch: LineBatch; number: number }[] = [];
    const names = readdirSync(folder);
    for (const name of names) {
      const path = join(folder, name);
      const batch = readBatch(path);
      if (batch === undefined) {
        rmSync(path, { force: true });
        continue;
      }
      found.push(batch);
      this.leftoverPaths.set(batch.batch, path);
    }
    found.sort((a, b) => a.number - b.number);
    this.leftover = found.map(({ batch }) => batch);
    this.nextNumber = (found.at(-1)?.number ?? 0) + 1;
    this.nextName = Math.max(0, ...names.map(Number).filter(Number.isSafeInteger)) + 1;
  }

  /** Writes what was added to a batch since it was written last. A process that is killed from now on leaves it. Never throws. */
  write(batch: LineBatch): void {
    const now = performance.now();
    let file = this.files.get(batch);
    if (file?.isBroken) return;
    try {
      if (JOURNAL_BUDGET.available(now) <= 0) throw new Error('the disk is slow');
      const isNew = file === undefined;
      file ??= this.open(batch);
      const body = batch.body();
      // The length behind what it is the length of: whenever the process ends, there is nothing else in the batch.
      writeFullySync(file.fd, body.subarray(file.writtenBytes), HEADER_BYTES + file.writtenBytes);
      file.writtenBytes = body.length;
      writeFullySync(file.fd, this.headerOf(batch, file.number, isNew), 0);
      JOURNAL_BUDGET.take(performance.now() - now);
    } catch (error) {
      if (JOURNAL_BUDGET.available(now) > 0) JOURNAL_BUDGET.take(JOURNAL_PAUSE);
      if (file) file.isBroken = true;
      this.warn(error);
    }
  }

  /** Forgets a batch that was delivered, or given up. */
  release(batch: LineBatch): void {
    const path = this.leftoverPaths.get(batch);
    if (path !== undefined) {
      this.leftoverPaths.delete(batch);
      rmSync(path, { force: true });
    }
    const file = this.files.get(batch);
    if (!file) return;
    this.files.delete(batch);
    if (this.free.length < FREE_FILES_MAX && !file.isBroken)
      try {
        this.header.fill(0, 4, COUNTS_END);
        writeFullySync(file.fd, this.header.subarray(0, COUNTS_END), 0);
        this.free.push(file);
        return;
      } catch (error) {
        this.warn(error);
      }
    closeSync(file.fd);
    rmSync(file.path, { force: true });
  }

  /** Removes all of it: nothing is left to the next process. */
  close(): void {
    for (const { fd } of [...this.files.values(), ...this.free]) closeSync(fd);
    this.files.clear();
    this.free.length = 0;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** All of it for a new batch; of others what changes. */
  private headerOf(batch: LineBatch, number: number, isNew: boolean): Buffer {
    const { header } = this;
    header.writeUInt32LE(batch.byteCount, 4);
    header.writeUInt32LE(batch.lineCount, 8);
    if (!isNew) return header.subarray(0, COUNTS_END);
    header.writeDoubleLE(number, 16);
    header.write(batch.frameId, FRAME_ID_AT, 'hex');
    return header;
  }

  private open(batch: LineBatch): JournalFile {
    const free = this.free.pop();
    const path = free?.path ?? join(this.folder, String(this.nextName++));
    const fd = free?.fd ?? openSync(path, 'wx', 0o600);
    const file = { path, fd, number: this.nextNumber++, writtenBytes: 0, isBroken: false };
    this.files.set(batch, file);
    return file;
  }

  private warn(error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.onWarning(
      `What dynos write can't be kept for the case that this server is killed (${reasonOf(error)}): lines that aren't stored yet would be lost then.`,
    );
  }
}

function readBatch(path: string): { batch: LineBatch; number: number } | undefined {
  const bytes = readFileSync(path);
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  const [byteCount, lineCount] = [bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
  if (byteCount === 0 || bytes.length < HEADER_BYTES + byteCount) return undefined;
  const frameId = bytes.toString('hex', FRAME_ID_AT, HEADER_BYTES);
  const body = bytes.subarray(HEADER_BYTES, HEADER_BYTES + byteCount);
  const reported = { dropped: 0, lost: 0, lines: 0 };
  return { batch: LineBatch.restore(frameId, body, lineCount, reported), number: bytes.readDoubleLE(16) };
}
