/** Lines of many apps in one buffer, in the order in which they came. */
import type { AppId, GatheredBatch, GatheredLines } from '../store/contract.ts';
import { HEADROOM } from '../syslog/batch.ts';

/** With more bytes lines don't wait any longer, and count as waiting to be stored. */
const BYTES_MAX = 4_194_304;
const FIRST_BYTES = 262_144;
const FIRST_RUNS = 1_024;
/** What comes next of the same app, and where records begin and end. */
const RUN_WORDS = 3;
const NO_RUN = -1;

/** Who sees to an app's lines. */
export interface GatheringOwner {
  /** Lines leave for the store. False when they can't, since something of the app is before them. */
  onGatheredClosed(batch: GatheredRecords): boolean;
  /** The store, or {@link onGatheredClosed}, didn't take them: they go another way. */
  onGatheredLeft(batch: GatheredRecords): void;
  /** @param bytes with its headroom, until this call returns @param nowMs on the clock of `performance.now()` */
  onGatheredStored(batch: GatheredRecords, bytes: Uint8Array, nowMs: number): void;
  onGatheredRefused(batch: GatheredRecords, error: unknown): void;
}

/** An app's share of a {@link Gathering}. */
export class GatheredRecords implements GatheredBatch {
  readonly gathering: Gathering;
  readonly app: AppId;
  readonly owner: GatheringOwner;
  firstRun = NO_RUN;
  private lastRun = NO_RUN;
  count = 0;
  recordBytes = 0;
  isTaken = false;
  /** Its position in the order of its app's batches, once it is closed. */
  number = 0;

  constructor(gathering: Gathering, app: AppId, owner: GatheringOwner) {
    this.gathering = gathering;
    this.app = app;
    this.owner = owner;
  }

  add(records: Uint8Array, count: number): void {
    const { lastRun } = this;
    this.lastRun = this.gathering.add(records, lastRun);
    if (lastRun === NO_RUN) this.firstRun = this.lastRun;
    this.count += count;
    this.recordBytes += records.length;
  }

  /** The bytes of a batch of them. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(HEADROOM + this.recordBytes);
    this.gathering.copyRecords(this, bytes, HEADROOM);
    return bytes;
  }

  /** They went another way. */
  clear(): void {
    this.count = 0;
  }
}

/** Batches of which nothing is made but what the store keeps. */
export class Gathering implements GatheredLines {
  readonly openedMs = performance.now();
  readonly batches: GatheredRecords[] = [];
  private readonly onTold: (gathering: Gathering) => void;
  private bytes: Uint8Array;
  private runs: Int32Array;
  private runsEnd = 0;
  /** Bytes of the records. */
  end = 0;
  /** Batches of which it isn't known yet what became of them. */
  private untold = 0;
  private toldMs = 0;

  /**
   * @param unused another one, whose memory is free
   * @param onTold called when it is known of all batches what became of them
   */
  constructor(unused: Gathering | undefined, onTold: (gathering: Gathering) => void) {
    this.bytes = unused?.bytes ?? new Uint8Array(FIRST_BYTES);
    this.runs = unused?.runs ?? new Int32Array(FIRST_RUNS * RUN_WORDS);
    this.onTold = onTold;
  }

  /** It has to leave for the store, also while another one is on its way: else it would grow without a bound. */
  get isFull(): boolean {
    return this.end > BYTES_MAX;
  }

  begin(app: AppId, owner: GatheringOwner): GatheredRecords {
    const batch = new GatheredRecords(this, app, owner);
    this.batches.push(batch);
    return batch;
  }

  /** Adds records, behind a run of the same app if there is one. @returns the new run */
  add(records: Uint8Array, lastRun: number): number {
    const start = this.end;
    const end = start + records.length;
    const run = this.runsEnd;
    while (end > this.bytes.length) this.bytes = grown(this.bytes, new Uint8Array(2 * this.bytes.length));
    if (run === this.runs.length) this.runs = grown(this.runs, new Int32Array(2 * run));
    this.bytes.set(records, start);
    const { runs } = this;
    runs[run] = NO_RUN;
    runs[run + 1] = start;
    runs[run + 2] = end;
    if (lastRun !== NO_RUN) runs[lastRun] = run;
    this.end = end;
    this.runsEnd = run + RUN_WORDS;
    return run;
  }

  /** Nothing more is added: the store takes what it can. */
  close(append: (lines: GatheredLines) => void): void {
    this.untold = 1;
    for (const batch of this.batches) {
      if (batch.count === 0) continue;
      if (batch.owner.onGatheredClosed(batch)) this.untold++;
      else batch.clear();
    }
    try {
      append(this);
    } catch {
      // What is wrong is said where they are appended by app.
    }
    for (const batch of this.batches) {
      if (batch.count === 0 || batch.isTaken) continue;
      batch.owner.onGatheredLeft(batch);
      this.untold--;
    }
    this.countTold();
  }

  copyRecords(batch: GatheredRecords, out: Uint8Array, at: number): void {
    const { runs, bytes } = this;
    let to = at;
    for (let run = batch.firstRun; run !== NO_RUN; run = runs[run]) {
      const start = runs[run + 1];
      const length = runs[run + 2] - start;
      out.set(new Uint8Array(bytes.buffer, start, length), to);
      to += length;
    }
  }

  onStored(batch: GatheredRecords, bytes: Uint8Array): void {
    if (this.toldMs === 0) this.toldMs = performance.now();
    batch.owner.onGatheredStored(batch, bytes, this.toldMs);
    this.countTold();
  }

  onRefused(batch: GatheredRecords, error: unknown): void {
    batch.owner.onGatheredRefused(batch, error);
    this.countTold();
  }

  private countTold(): void {
    if (--this.untold === 0) this.onTold(this);
  }
}

function grown<T extends Uint8Array | Int32Array>(before: T, after: T): T {
  after.set(before);
  return after;
}
