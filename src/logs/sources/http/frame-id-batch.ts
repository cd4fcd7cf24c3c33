import type { LogRouter } from '../../router/log-router.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../../syslog/batch.ts';
import { BatchBuilder } from '../../syslog/batch-builder.ts';
import type { SyslogHeader } from '../../syslog/header.ts';
import type { LineTarget } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';

/** The batches of a request by app: one an app, however its sources alternate, since a frame id is used once an app. */
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

  /** @param bodyBytes length of the request's body, about what its lines take. */
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
