import type { LogRouter } from '../../router/log-router.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../../syslog/batch.ts';
import { BatchBuilder } from '../../syslog/batch-builder.ts';
import type { SyslogHeader } from '../../syslog/header.ts';
import type { LineTarget } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';

/** One batch an app, however many sources of it speak in turns: the name is used once. */
export function frameIdBatches(
  router: LogRouter,
  frameId: string,
  bodyBytes: number,
  counters: ListenerCounters,
): (app: AppId) => FrameIdBatch {
  const batches = new Map<AppId, FrameIdBatch>();
  return (app) => {
    const batch = batches.get(app) ?? new FrameIdBatch(router, app, frameId, bodyBytes, counters);
    batches.set(app, batch);
    return batch;
  };
}

/**
 * The lines of a request that has a name (`Logplex-Frame-Id`): batches of their own, appended under that name, so that
 * the same request again stores nothing. The name holds for one app: a sender can't use up another's.
 */
export class FrameIdBatch implements LineTarget {
  private readonly router: LogRouter;
  private readonly app: AppId;
  private readonly frameId: string;
  private readonly counters: ListenerCounters;
  private readonly builder: BatchBuilder;
  private readonly batches: Batch[] = [];

  /** @param bodyBytes how long the request's body is: its lines take about as much. */
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
    for (const [part, batch] of this.batches.entries()) {
      const frameId = part === 0 ? this.frameId : `${this.frameId}/${part}`;
      const { duplicate } = await this.router.appendOnce(this.app, batch, frameId);
      if (duplicate) this.counters.duplicates += batch.count;
    }
  }

  private closeBatch(): void {
    const batch = this.builder.takeBatch();
    if (batch) this.batches.push(batch);
  }
}
