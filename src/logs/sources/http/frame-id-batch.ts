import type { LogRouter } from '../../router/log-router.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../../syslog/batch.ts';
import { BatchBuilder } from '../../syslog/batch-builder.ts';
import type { SyslogHeader } from '../../syslog/header.ts';
import type { LineTarget } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';

/** The batches of a request by app: one an app, however its sources alternate, since a frame id is used once an app. */
export class FrameIdBatches {
  private readonly router: LogRouter;
  private readonly frameId: string;
  private readonly bodyBytes: number;
  private readonly counters: ListenerCounters;
  private readonly batches = new Map<AppId, FrameIdBatch>();

  /** @param bodyBytes about what the request's lines take. */
  constructor(router: LogRouter, frameId: string, bodyBytes: number, counters: ListenerCounters) {
    this.router = router;
    this.frameId = frameId;
    this.bodyBytes = bodyBytes;
    this.counters = counters;
  }

  readonly targetFor = (app: AppId): LineTarget => {
    const { router, frameId, bodyBytes, counters } = this;
    const batch = this.batches.get(app) ?? new FrameIdBatch(router, app, frameId, bodyBytes, counters);
    this.batches.set(app, batch);
    return batch;
  };

  /**
   * Resolves when all lines are stored, now or before. Rejects when some couldn't be, and nothing is on its way any more: call it again
   * to store the others.
   */
  async whenStored(): Promise<void> {
    const outcomes = await Promise.allSettled([...this.batches.values()].map((batch) => batch.whenStored()));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/**
 * The lines of a request with a frame id (`Logplex-Frame-Id`): batches of their own, appended under that id, so that the same
 * request again stores nothing. The id is scoped to one app: a sender can't use up another's.
 */
class FrameIdBatch implements LineTarget {
  private readonly router: LogRouter;
  private readonly app: AppId;
  private readonly frameId: string;
  private readonly counters: ListenerCounters;
  private readonly builder: BatchBuilder;
  private readonly batches: Batch[] = [];
  /** So many of the batches are stored. */
  private storedCount = 0;

  constructor(router: LogRouter, app: AppId, frameId: string, bodyBytes: number, counters: ListenerCounters) {
    this.builder = new BatchBuilder(Math.min(BATCH_BYTES, 4_096 + bodyBytes));
    this.router = router;
    this.app = app;
    this.frameId = frameId;
    this.counters = counters;
  }

  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    logSource: LogSource,
    host: Uint8Array,
  ): void {
    const source = logSource.sourceBytes;
    if (this.builder.add(bytes, start, end, header, source, host)) return;
    this.closeBatch();
    this.builder.add(bytes, start, end, header, source, host);
  }

  addRecords(records: Uint8Array, count: number): void {
    if (this.builder.addRecords(records, count)) return;
    this.closeBatch();
    this.builder.addRecords(records, count);
  }

  flushInBackground(): void {}

  /** Resolves when the lines are stored, now or before. */
  async whenStored(): Promise<void> {
    this.closeBatch();
    while (this.storedCount < this.batches.length) {
      const part = this.storedCount;
      const batch = this.batches[part];
      const frameId = part === 0 ? this.frameId : `${this.frameId}/${part}`;
      const { duplicate } = await this.router.appendOnce(this.app, batch, frameId);
      if (duplicate) this.counters.duplicates += batch.count;
      this.storedCount++;
    }
  }

  private closeBatch(): void {
    const batch = this.builder.takeBatch();
    if (batch) this.batches.push(batch);
  }
}
