import { type PlatformErrorCode, platformErrorTitle } from '../../common/platform-errors.ts';
import type { ReportedLosses } from './line-batch.ts';

/** What of a batch counts. */
export interface CountedBatch {
  readonly lineCount: number;
  readonly reported: Readonly<ReportedLosses>;
}

/** A line for the stream that says what is missing from it. */
export interface LossReport {
  readonly kind: 'dropped' | 'lost';
  readonly count: number;
  readonly message: string;
}

const NO_REPORTS: readonly LossReport[] = [];

/**
 * Counts what became of lines, and which losses the stream doesn't report yet: a report is in a batch, and when that is lost it
 * has to be made again, with the lines that were lost with it.
 */
export class DeliveryCounts {
  /** Lines that the router has accepted. */
  accepted = 0;
  /** Lines that never got into a batch. */
  dropped = 0;
  /** Lines in batches that were given up, without the reports among them. */
  lost = 0;
  private readonly unreportedDropped = new UnreportedLoss();
  private readonly unreportedLost = new UnreportedLoss();

  /** @param timestamp of now, as it stands in the report */
  drop(timestamp: string): void {
    this.dropped += 1;
    this.unreportedDropped.add(1, timestamp);
  }

  /** The router has accepted a batch, and with it the losses that it reports. */
  accept(batch: CountedBatch): void {
    this.accepted += batch.lineCount;
  }

  /** @param timestamp of now, as it stands in the report */
  lose({ lineCount, reported }: CountedBatch, timestamp: string): void {
    const count = lineCount - reported.lines;
    this.lost += count;
    this.unreportedLost.add(count + reported.lost, timestamp);
    this.unreportedDropped.add(reported.dropped, timestamp);
  }

  /** What has to be reported now. It counts as reported from here on. */
  takeReports(): readonly LossReport[] {
    if (this.unreportedDropped.count === 0 && this.unreportedLost.count === 0) return NO_REPORTS;
    return [...this.unreportedDropped.take('dropped', 'L12'), ...this.unreportedLost.take('lost', 'L13')];
  }
}

class UnreportedLoss {
  count = 0;
  /** When the first of them went, as a timestamp in microseconds. */
  private since = '';

  add(count: number, timestamp: string): void {
    if (count > 0 && this.count === 0) this.since = timestamp;
    this.count += count;
  }

  take(kind: LossReport['kind'], code: PlatformErrorCode): LossReport[] {
    const { count } = this;
    this.count = 0;
    // `Error L12: 12 messages dropped since 2013-11-04T21:31:32.125756+00:00.`
    if (count === 0) return [];
    const title = platformErrorTitle(code);
    return [{ kind, count, message: `${title}: ${count} messages ${kind} since ${this.since}.` }];
  }
}
