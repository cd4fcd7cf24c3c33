import type { Router } from '../router/router.ts';
import type { Tenant } from '../router/tenants.ts';
import type { AppId } from '../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../syslog/batch.ts';
import { BatchBuilder } from '../syslog/batch-builder.ts';
import { Header, scanHeader } from '../syslog/header.ts';
import type { SourceCounters } from './counters.ts';
import { withHeader } from './headerless.ts';
import { Taken } from './intake.ts';

/**
 * The lines of a request that has a name (`Logplex-Frame-Id`): batches of their own, appended under that name, so
 * that the same request again stores nothing. The name holds for one app: a sender can't use up another's.
 */
export class FrameBatches {
  private readonly router: Router;
  private readonly counters: SourceCounters;
  private readonly host: Uint8Array;
  private readonly fixed: Tenant | undefined;
  private readonly header = new Header();
  private readonly builders = new Map<AppId, { builder: BatchBuilder; full: Batch[] }>();
  private asked = '';

  constructor(router: Router, counters: SourceCounters, host: string, fixed: Tenant | undefined) {
    this.router = router;
    this.counters = counters;
    this.host = Buffer.from(host);
    this.fixed = fixed;
  }

  /** Takes the frame `bytes[start, end)`; see {@link Taken}. */
  take(bytes: Buffer, start: number, end: number): Taken {
    const { header, counters } = this;
    if (!scanHeader(bytes, start, end, header)) {
      counters.malformed++;
      if (!this.fixed) return Taken.malformed;
      const frame = withHeader(bytes.subarray(start, end));
      return this.take(frame, 0, frame.length);
    }
    const tenant = this.fixed ?? this.find(bytes, end);
    if (tenant === undefined) return Taken.ask;
    if (tenant === null) {
      counters.unknownToken++;
      return Taken.unknown;
    }
    let entry = this.builders.get(tenant.app);
    if (!entry) {
      entry = { builder: new BatchBuilder(Math.min(BATCH_BYTES, 4_096 + bytes.length * 2)), full: [] };
      this.builders.set(tenant.app, entry);
    }
    const { builder, full } = entry;
    if (!builder.add(bytes, start, end, header, tenant.sourceBytes, this.host)) {
      const batch = builder.close();
      if (batch) full.push(batch);
      builder.add(bytes, start, end, header, tenant.sourceBytes, this.host);
    }
    counters.lines++;
    counters.bytes += end - start;
    return Taken.line;
  }

  /** Asks the store for the token of the frame that got `Taken.ask`. */
  async load(): Promise<void> {
    await this.router.loadTenant(this.asked);
  }

  /** Resolves when the lines are stored, now or before. */
  async store(frameId: string): Promise<void> {
    for (const [app, { builder, full }] of this.builders) {
      const last = builder.close();
      if (last) full.push(last);
      for (const [part, batch] of full.entries()) {
        const { duplicate } = await this.router.appendFrame(
          app,
          batch,
          part === 0 ? frameId : `${frameId}/${part}`,
        );
        if (duplicate) this.counters.duplicates += batch.count;
      }
    }
  }

  private find(bytes: Buffer, end: number): Tenant | null | undefined {
    const { sourceStart, dynoStart } = this.header;
    const token = bytes
      .toString('latin1', sourceStart, dynoStart === end ? end : dynoStart - 1)
      .split(' ', 1)[0];
    const tenant = this.router.findTenant(token);
    if (tenant === undefined) this.asked = token;
    return tenant;
  }
}
