import { readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../common/folder.ts';
import { processStat } from '../../processes/process-group.ts';
import { LineBatch, type Reported } from '../line-batch.ts';

/** Another process, alive, works with the same spool. */
export class SpoolInUseError extends Error {
  override readonly name = 'SpoolInUseError';
  readonly pid: number;

  constructor(folder: string, pid: number) {
    super(`The folder ${folder} is in use by process ${pid}.`);
    this.pid = pid;
  }
}

/** A batch that is written down. */
export interface SpooledBatch {
  /** Its place in the order. */
  readonly number: number;
  readonly lineCount: number;
  /** What it takes on the disk. */
  readonly byteCount: number;
}

/** What stands in front of a batch's frames, as one line of JSON. */
interface Head {
  readonly frameId: string;
  readonly reported: Reported;
  readonly note?: unknown;
}

const NAME = /^(\d{12})-(\d+)\.batch$/;
/** A file takes a block at least. */
const BLOCK_BYTES = 4_096;
const NEWLINE = 0x0a;

/**
 * A folder of batches, one file each. A file is there as a whole or not at all, whenever the process is killed; the disk
 * is not waited for, so a power cut may take the last ones. Beside them is a *note*: how far whoever writes the batches had
 * come, kept with each batch and remembered after the last one has gone.
 */
export class Spool {
  readonly #folder: string;
  readonly #batches: SpooledBatch[];
  #next: number;

  /** @throws {SpoolInUseError} */
  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder, 0o700);
    lock(folder);
    this.#batches = readdirSync(folder).flatMap((name) => this.#found(name));
    this.#batches.sort((a, b) => a.number - b.number);
    this.#next = (this.#batches.at(-1)?.number ?? 0) + 1;
  }

  /** Those that a process before this one has left, oldest first. */
  get left(): readonly SpooledBatch[] {
    return this.#batches;
  }

  /** The note of the newest batch, or the one that was remembered. */
  note(): unknown {
    for (const { number, lineCount } of this.#batches.toReversed()) {
      const head = headOf(this.#bytes(this.#path(number, lineCount)));
      if (head) return head.note;
    }
    try {
      return JSON.parse(readFileSync(this.#notePath, 'utf8'));
    } catch {
      return undefined; // there is none, or a power cut has taken it
    }
  }

  /** @throws the system's error when it can't be written */
  write(batch: LineBatch, note: unknown): SpooledBatch {
    const head: Head = { frameId: batch.frameId, reported: batch.reported, note };
    const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), batch.body()]);
    const { lineCount } = batch;
    const number = this.#next;
    this.#replace(this.#path(number, lineCount), bytes);
    this.#next += 1;
    return { number, lineCount, byteCount: Math.max(BLOCK_BYTES, bytes.length) };
  }

  /** The batch and its note. Undefined when it can't be read any more: then it is lost. */
  read({ number, lineCount }: SpooledBatch): { batch: LineBatch; note: unknown } | undefined {
    const bytes = this.#bytes(this.#path(number, lineCount));
    const head = headOf(bytes);
    if (!bytes || !head) return undefined;
    const body = bytes.subarray(bytes.indexOf(NEWLINE) + 1);
    return { batch: LineBatch.restore(head.frameId, body, lineCount, head.reported), note: head.note };
  }

  remove({ number, lineCount }: SpooledBatch): void {
    rmSync(this.#path(number, lineCount), { force: true });
  }

  /** Keeps a note also when no batch is left. */
  remember(note: unknown): void {
    this.#replace(this.#notePath, Buffer.from(JSON.stringify(note)));
  }

  /** Lets others have the folder. */
  close(): void {
    rmSync(join(this.#folder, 'lock'), { force: true });
  }

  get #notePath(): string {
    return join(this.#folder, 'note.json');
  }

  #path(number: number, lineCount: number): string {
    return join(this.#folder, `${String(number).padStart(12, '0')}-${lineCount}.batch`);
  }

  #found(name: string): SpooledBatch[] {
    const match = NAME.exec(name);
    if (!match) return [];
    const byteCount = Math.max(BLOCK_BYTES, statSync(join(this.#folder, name)).size);
    return [{ number: Number(match[1]), lineCount: Number(match[2]), byteCount }];
  }

  #bytes(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch {
      return undefined;
    }
  }

  #replace(path: string, bytes: Uint8Array): void {
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

function headOf(bytes: Buffer | undefined): Head | undefined {
  try {
    const head: Head | undefined = bytes && JSON.parse(bytes.toString('utf8', 0, bytes.indexOf(NEWLINE)));
    return typeof head?.frameId === 'string' && typeof head.reported === 'object' ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Leaves a file that names this process, so that a second one keeps out. One that was killed leaves it behind. */
function lock(folder: string): void {
  const file = join(folder, 'lock');
  const mark = `${process.pid} ${processStat(process.pid)?.startTicks ?? ''}`;
  for (;;) {
    try {
      writeFileSync(file, mark, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const [pid, startTicks] = readFileSync(file, 'utf8').split(' ');
    if (isRunning(Number(pid), startTicks)) throw new SpoolInUseError(folder, Number(pid));
    unlinkSync(file);
  }
}

function isRunning(pid: number, startTicks: string | undefined): boolean {
  if (!(pid > 1)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return !startTicks || processStat(pid)?.startTicks === startTicks;
}
