import type { AppId } from '../../contract.ts';
import type { DamagedCommit } from '../commit-log/commit-entry.ts';
import type { LeftCommits } from '../commit-log/commit-log.ts';
import type { LeftBatch } from '../commit-log/left-batch.ts';
import type { SegmentEntry } from '../segments/entry-format.ts';
import type { OpenStream } from './open-stream.ts';

/** Called for a batch with a frame id. */
export type OnFrameId = (app: AppId, entry: Pick<SegmentEntry, 'frameId' | 'first' | 'last'>) => void;

/** What processes before this one left in the commit log, until their streams are opened and take it. */
export class LeftoverCommits {
  private readonly batches: Map<AppId, readonly LeftBatch[]>;
  private readonly damage: readonly DamagedCommit[];
  private readonly onFrameId: OnFrameId;
  /** Bytes that are no intact entries. */
  readonly damagedBytes: number;

  constructor({ batches, damaged, damagedBytes }: LeftCommits, onFrameId: OnFrameId) {
    this.batches = new Map(batches);
    this.damage = damaged;
    for (const { app } of this.damage) if (!this.batches.has(app)) this.batches.set(app, []);
    this.damagedBytes = damagedBytes;
    this.onFrameId = onFrameId;
  }

  /** Is there something of the app's, intact or damaged? */
  has(app: AppId): boolean {
    return this.batches.has(app);
  }

  /** The app's intact batches, in order; undefined when there is nothing of it. */
  get(app: AppId): readonly LeftBatch[] | undefined {
    return this.batches.get(app);
  }

  /** Nothing of an app is needed any more. */
  forget(app: AppId): void {
    this.batches.delete(app);
  }

  /** Forgets what is of other apps than these. */
  keepOnly(apps: ReadonlySet<AppId>): void {
    for (const app of [...this.batches.keys()]) if (!apps.has(app)) this.batches.delete(app);
  }

  /**
   * A stream that was just opened takes what isn't in its segments.
   * @param batches of {@link get}; undefined: the stream was removed, and takes nothing
   * @returns whether there was something of it
   */
  giveTo({ app, stream, appender }: OpenStream, batches: readonly LeftBatch[] | undefined): boolean {
    if (!this.batches.has(app)) return false;
    // What is in segments already has to stay there when the log is removed.
    if (batches && batches.length > 0) appender.assumeUnsynced(batches[0].first);
    for (const batch of batches ?? []) {
      if (stream.isBeforeGap(batch)) appender.writeUnwritten();
      if (stream.adopt(batch) && batch.frameId !== undefined) this.onFrameId(app, batch);
    }
    const damaged = this.damage.filter((one) => one.app === app).sort((a, b) => a.first - b.first);
    if (batches && damaged.some(({ first }) => first > stream.bounds.last)) {
      appender.writeUnwritten();
      for (const one of damaged) stream.adoptDamage(one);
    }
    this.batches.delete(app);
    return true;
  }
}
