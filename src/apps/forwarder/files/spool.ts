import { readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../../../common/make-directory.ts';
import { isProcessRunning, ownStartTicks } from '../../../common/process-identity.ts';
import { LineBatch, type ReportedLosses } from '../line-batch.ts';

/** Another process, alive, works with the same spool. */
export class SpoolInUseError extends Error {
  override readonly name = 'SpoolInUseError';
  readonly pid: number;

  constructor(folder: string, pid: number) {
    super(`The folder ${folder} is in use by process ${pid}.`);
    this.pid = pid;
  }
}

/** A batch on the disk. */
export interface SpooledBatch {
  /** Its sequence number. */
  readonly number: number;
  readonly lineCount: number;
  /** Its size on the disk. */
  readonly byteCount: number;
}

/** In front of a batch's frames, as one line of JSON. */
interface BatchFileHeader {
  readonly frameId: string;
  readonly reported: ReportedLosses;
  readonly note?: unknown;
}

const NAME = /^(\d{12})-(\d+)\.batch$/;
/** A file takes a block at least. */
const BLOCK_BYTES = 4_096;
const NEWLINE = 0x0a;

/**
 * A folder of batches, one file each. A file is there as a whole or not at all, whenever the process is killed; the disk
 * is not synced, so a power cut may take the last ones. With each batch is a *checkpoint*: how far its source was read; that of
 * the last one is saved when no batch is left (`note.json`).
 */
export class Spool {
  readonly #folder: string;
  readonly #batches: SpooledBatch[];
  #next: number;

  /** @throws {SpoolInUseError} */
  constructor(folder: string) {
    this.#folder = folder;
    makeDirectory(folder, 0o700);
    acquireLock(folder);
    this.#batches = readdirSync(folder).flatMap((name) => this.#parseFileName(name));
    this.#batches.sort((a, b) => a.number - b.number);
    this.#next = (this.#batches.at(-1)?.number ?? 0) + 1;
  }

  /** Those that an earlier process has left, oldest first. */
  get leftover(): readonly SpooledBatch[] {
    return this.#batches;
  }

  /** The checkpoint of the newest batch, or the one that was saved. */
  checkpoint(): unknown {
    for (const { number, lineCount } of this.#batches.toReversed()) {
      const header = parseHeader(this.#readIfPresent(this.#batchPath(number, lineCount)));
      if (header) return header.note;
    }
    try {
      return JSON.parse(readFileSync(this.#checkpointPath, 'utf8'));
    } catch {
      return undefined; // there is none, or a power cut has taken it
    }
  }

  /** @throws the system's error when it can't be written */
  write(batch: LineBatch, checkpoint: unknown): SpooledBatch {
    const header: BatchFileHeader = { frameId: batch.frameId, reported: batch.reported, note: checkpoint };
    const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), batch.body()]);
    const { lineCount } = batch;
    const number = this.#next;
    this.#writeAtomically(this.#batchPath(number, lineCount), bytes);
    this.#next += 1;
    return { number, lineCount, byteCount: Math.max(BLOCK_BYTES, bytes.length) };
  }

  /** The batch and its checkpoint. Undefined when it can't be read any more: then it is lost. */
  read({ number, lineCount }: SpooledBatch): { batch: LineBatch; checkpoint: unknown } | undefined {
    const bytes = this.#readIfPresent(this.#batchPath(number, lineCount));
    const header = parseHeader(bytes);
    if (!bytes || !header) return undefined;
    const body = bytes.subarray(bytes.indexOf(NEWLINE) + 1);
    return {
      batch: LineBatch.restore(header.frameId, body, lineCount, header.reported),
      checkpoint: header.note,
    };
  }

  remove({ number, lineCount }: SpooledBatch): void {
    rmSync(this.#batchPath(number, lineCount), { force: true });
  }

  /** Saves a checkpoint for when no batch is left. */
  saveCheckpoint(checkpoint: unknown): void {
    this.#writeAtomically(this.#checkpointPath, Buffer.from(JSON.stringify(checkpoint)));
  }

  /** Releases the folder's lock. */
  close(): void {
    rmSync(join(this.#folder, 'lock'), { force: true });
  }

  get #checkpointPath(): string {
    return join(this.#folder, 'note.json');
  }

  #batchPath(number: number, lineCount: number): string {
    return join(this.#folder, `${String(number).padStart(12, '0')}-${lineCount}.batch`);
  }

  #parseFileName(name: string): SpooledBatch[] {
    const match = NAME.exec(name);
    if (!match) return [];
    const byteCount = Math.max(BLOCK_BYTES, statSync(join(this.#folder, name)).size);
    return [{ number: Number(match[1]), lineCount: Number(match[2]), byteCount }];
  }

  #readIfPresent(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch {
      return undefined;
    }
  }

  #writeAtomically(path: string, bytes: Uint8Array): void {
    const temporary = join(this.#folder, 'new');
    try {
      writeFileSync(temporary, bytes, { mode: 0o600 });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true }); // half a file on a full disk helps nobody
      throw error;
    }
  }
}

function parseHeader(bytes: Buffer | undefined): BatchFileHeader | undefined {
  try {
    const header: BatchFileHeader | undefined =
      bytes && JSON.parse(bytes.toString('utf8', 0, bytes.indexOf(NEWLINE)));
    return typeof header?.frameId === 'string' && typeof header.reported === 'object' ? header : undefined;
  } catch {
    return undefined;
  }
}

/** Creates a lock file that names this process. A process that was killed leaves a stale one, which is replaced. */
function acquireLock(folder: string): void {
  const file = join(folder, 'lock');
  const owner = `${process.pid} ${ownStartTicks()}`;
  for (;;) {
    try {
      writeFileSync(file, owner, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const [pid, startTicks] = readFileSync(file, 'utf8').split(' ');
    if (isProcessRunning(Number(pid), startTicks)) throw new SpoolInUseError(folder, Number(pid));
    unlinkSync(file);
  }
}
