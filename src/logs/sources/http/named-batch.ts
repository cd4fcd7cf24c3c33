import type { Router } from '../../router/router.ts';
import type { Tenant } from '../../router/tenants.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../../syslog/batch.ts';
import { BatchBuilder } from '../../syslog/batch-builder.ts';
import type { Header } from '../../syslog/header.ts';
import type { SourceCounters } from '../counters.ts';
import type { LineTarget } from '../intake.ts';

/** One batch an app, however many sources of it speak in turns: the name is used once. */
export function namedBatches(
  router: Router,
  name: string,
  bodyBytes: number,
  counters: SourceCounters,
): (app: AppId) => NamedBatch {
  const batches = new Map<AppId, NamedBatch>();
  return (app) => {
    const batch = batches.get(app) ?? new NamedBatch(router, app, name, bodyBytes, counters);
    batches.set(app, batch);
    return batch;
  };
}

/**
 * The lines of a request that has a name (`Logplex-Frame-Id`): batches of their own, appended under that name, so that
 * the same request again stores nothing. The name holds for one app: a sender can't use up another's.
 */
export class NamedBatch implements LineTarget {
  private readonly router: Router;
  private readonly app: AppId;
  private readonly name: string;
  private readonly counters: SourceCounters;
  private readonly builder: BatchBuilder;
  private readonly full: Batch[] = [];

  /** @param bodyBytes how long the request's body is: its lines take about as much. */
  constructor(router: Router, app: AppId, name: string, bodyBytes: number, counters: SourceCounters) {
    this.builder = new BatchBuilder(Math.min(BATCH_BYTES, 4_096 + bodyBytes));
    this.router = router;
    this.app = app;
    this.name = name;
    this.counters = counters;
  }

  add(bytes: Uint8Array, start: number, end: number, header: Header, tenant: Tenant, host: Uint8Array): void {
    const source = tenant.sourceBytes;
    if (this.builder.add(bytes, start, end, header, source, host)) return;
    this.close();
    this.builder.add(bytes, start, end, header, source, host);
  }

  addRecords(records: Uint8Array, count: number): void {
    if (this.builder.addRecords(records, count)) return;
    this.close();
    this.builder.addRecords(records, count);
  }

  entrust(): void {}

  /** Resolves when the lines are stored, now or before. */
  async stored(): Promise<void> {
    this.close();
    for (const [part, batch] of this.full.entries()) {
      const name = part === 0 ? this.name : `${this.name}/${part}`;
      const { duplicate } = await this.router.appendFrame(this.app, batch, name);
      if (duplicate) this.counters.duplicates += batch.count;
    }
  }

  private close(): void {
    const batch = this.builder.close();
    if (batch) this.full.push(batch);
  }
}
