import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../../../common/files/make-directory.ts';
import { replaceFileNow } from '../../../common/files/replace-file.ts';
import { acquireProcessLock } from '../../../common/processes/process-lock.ts';
import { crc32 } from '../../../logs/store/embedded/checksum.ts';
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

/** How far a source was read. */
export interface SavedCheckpoint {
  /** Undefined: there is none. */
  readonly value: unknown;
  /** There was one, and it can't be read any more. */
  readonly isDamaged: boolean;
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
/** The checksum in front of what is in a file, in hexadecimal, and a space. */
const SEAL = /^[0-9a-f]{8} $/;
const SEAL_BYTES = 9;
/** Files of version 0.1 have no checksum, and begin with JSON. */
const OPENING_BRACE = 0x7b;

/**
 * A folder of batches, one file each. A file is there as a whole or not at all, whenever the process is killed; the disk
 * is not synced, so a power cut may take the last ones. Each has a checksum in front: what was changed on the disk is lost, and never sent. With each batch is a *checkpoint*: how far its source was read; that of
 * the last one is saved when no batch is left (`note.json`).
 */
export class Spool {
  private readonly folder: string;
  private readonly unlock: () => void;
  private readonly batches: SpooledBatch[];
  private next: number;

  /** @throws {SpoolInUseError} */
  constructor(folder: string) {
    this.folder = folder;
    makeDirectory(folder, 0o700);
    const lock = acquireProcessLock(join(folder, 'lock'));
    if (typeof lock !== 'function') throw new SpoolInUseError(folder, lock.holderPid);
    this.unlock = lock;
    this.batches = readdirSync(folder).flatMap((name) => this.parseFileName(name));
    this.batches.sort((a, b) => a.number - b.number);
    this.next = (this.batches.at(-1)?.number ?? 0) + 1;
  }

  /** Those that an earlier process has left, oldest first. */
  get leftover(): readonly SpooledBatch[] {
    return this.batches;
  }

  /** The checkpoint of the newest batch that can be read, or the one that was saved. */
  checkpoint(): SavedCheckpoint {
    let isDamaged = false;
    for (const { number, lineCount } of this.batches.toReversed()) {
      const header = parseBatch(this.readIfPresent(this.batchPath(number, lineCount)))?.header;
      if (header) return { value: header.note, isDamaged: false };
      isDamaged = true;
    }
    const saved = this.readIfPresent(this.checkpointPath);
    if (!saved) return { value: undefined, isDamaged };
    const value = parseJson(unseal(saved));
    return { value, isDamaged: value === undefined };
  }

  /** @throws the system's error when it can't be written */
  write(batch: LineBatch, checkpoint: unknown): SpooledBatch {
    const header: BatchFileHeader = { frameId: batch.frameId, reported: batch.reported, note: checkpoint };
    const bytes = seal(Buffer.from(`${JSON.stringify(header)}\n`), batch.body());
    const { lineCount } = batch;
    const number = this.next;
    this.writeAtomically(this.batchPath(number, lineCount), bytes);
    this.next += 1;
    return { number, lineCount, byteCount: Math.max(BLOCK_BYTES, bytes.length) };
  }

  /** The batch and its checkpoint. Undefined when it can't be read any more: then it is lost. */
  read({ number, lineCount }: SpooledBatch): { batch: LineBatch; checkpoint: unknown } | undefined {
    const found = parseBatch(this.readIfPresent(this.batchPath(number, lineCount)));
    if (!found) return undefined;
    const { frameId, reported, note } = found.header;
    return { batch: LineBatch.restore(frameId, found.body, lineCount, reported), checkpoint: note };
  }

  /** A batch was delivered or given up; it is no error when its file is gone. */
  remove({ number, lineCount }: SpooledBatch): void {
    rmSync(this.batchPath(number, lineCount), { force: true });
  }

  /** Saves a checkpoint for when no batch is left. */
  saveCheckpoint(checkpoint: unknown): void {
    this.writeAtomically(this.checkpointPath, seal(Buffer.from(JSON.stringify(checkpoint))));
  }

  /** Releases the folder's lock. */
  close(): void {
    this.unlock();
  }

  private get checkpointPath(): string {
    return join(this.folder, 'note.json');
  }

  private batchPath(number: number, lineCount: number): string {
    return join(this.folder, `${String(number).padStart(12, '0')}-${lineCount}.batch`);
  }

  private parseFileName(name: string): SpooledBatch[] {
    const match = NAME.exec(name);
    if (!match) return [];
    const byteCount = Math.max(BLOCK_BYTES, statSync(join(this.folder, name)).size);
    return [{ number: Number(match[1]), lineCount: Number(match[2]), byteCount }];
  }

  private readIfPresent(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch {
      return undefined;
    }
  }

  private writeAtomically(path: string, bytes: Uint8Array): void {
    replaceFileNow(path, bytes, { temporary: join(this.folder, 'new'), sync: false });
  }
}

/** What is written to a file: its pieces, and a checksum of them in front. */
function seal(...pieces: readonly Uint8Array[]): Buffer {
  const checksum = pieces.reduce((sum, piece) => crc32(piece, sum), 0);
  return Buffer.concat([Buffer.from(`${checksum.toString(16).padStart(8, '0')} `, 'latin1'), ...pieces]);
}

/** What was sealed; undefined when it isn't as it was written. */
function unseal(bytes: Buffer): Buffer | undefined {
  if (bytes[0] === OPENING_BRACE) return bytes;
  const checksum = bytes.toString('latin1', 0, SEAL_BYTES);
  const content = bytes.subarray(SEAL_BYTES);
  return SEAL.test(checksum) && Number.parseInt(checksum, 16) === crc32(content) ? content : undefined;
}

function parseJson(bytes: Buffer | undefined): unknown {
  try {
    return bytes && JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function parseBatch(file: Buffer | undefined): { header: BatchFileHeader; body: Buffer } | undefined {
  const content = file && unseal(file);
  if (!content) return undefined;
  const end = content.indexOf(NEWLINE);
  const header = parseJson(content.subarray(0, end));
  return isBatchFileHeader(header) ? { header, body: content.subarray(end + 1) } : undefined;
}

function isBatchFileHeader(value: unknown): value is BatchFileHeader {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'frameId' in value &&
    typeof value.frameId === 'string' &&
    'reported' in value &&
    typeof value.reported === 'object'
  );
}
