/** What is evaluated: an alert that is on, with what it has counted, and where its lines come from. */
import { cutText } from '../../../../src/common/text/cut-text.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { readRecord } from '../../../../src/logs/syslog/record.ts';
import { AlertRun, type AlertRunState } from '../conditions/alert-run.ts';
import { type GroupedLine, groupValueReader } from '../matching/group-value.ts';
import { type PatternChange, TemplateMiner } from '../matching/template-miner.ts';
import type { AlertRecord, SampleLine, SavedSearch } from '../records/alert-records.ts';

const DAY_MS = 86_400_000;
const SAMPLE_MESSAGE_MAX = 1_000;

/** A stream whose lines a search looks at. */
export interface SearchedStream {
  readonly id: AppId;
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface WatchedAlertState extends AlertRunState {
  /** Lines up to these came before the alert was made. */
  readonly startAfter?: Readonly<Record<AppId, Sequence>>;
}

/** The line at hand, read once for all alerts that want it. */
export class CurrentLine {
  private line: RecordCursor | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private read: GroupedLine | undefined;
  private shown: SampleLine | undefined;
  stream: SearchedStream = { id: '' as AppId, name: '', createdAt: '' };
  sequence: Sequence = 0;
  receivedAtMs = 0;
  /** When it came, by the clock of alerts. */
  atMs = 0;

  /** Another line. What was read of the one before isn't kept. @param bytes of its batch, which stay as they are while it is looked at */
  set(line: RecordCursor, bytes: Buffer, sequence: Sequence): void {
    this.line = line;
    this.bytes = bytes;
    this.sequence = sequence;
    this.read = undefined;
    this.shown = undefined;
  }

  /** The line, read when it is asked for; only once however many alerts ask. */
  get grouped(): GroupedLine {
    if (!this.line) throw new Error('A line has to be set first.');
    this.read ??= { record: readRecord(this.line, this.bytes), streamName: this.stream.name };
    return this.read;
  }

  /** As notifications show it: its message may be cut. */
  get sample(): SampleLine {
    this.shown ??= this.readSample();
    return this.shown;
  }

  private readSample(): SampleLine {
    const { record } = this.grouped;
    return {
      stream: this.stream.id,
      streamName: this.stream.name,
      position: this.sequence,
      receivedAtMs: this.receivedAtMs,
      timestamp: record.timestamp,
      facility: record.priority >> 3,
      severity: record.priority & 7,
      hostname: record.hostname,
      program: `${record.source}/${record.dyno}`,
      message: cutText(record.message, SAMPLE_MESSAGE_MAX),
    };
  }
}

/**
 * An alert that is on. Of each batch of the streams that it looks at, {@link startBatch} is called first, then {@link take} with what its
 * search has found, in order.
 */
export class WatchedAlert {
  readonly alert: AlertRecord;
  readonly search: SavedSearch;
  readonly run: AlertRun;
  readonly miner: TemplateMiner | undefined;
  readonly streams: readonly SearchedStream[];
  private readonly valueOf: ((line: GroupedLine) => string) | undefined;
  private readonly startAfter: Map<AppId, Sequence>;
  private readonly streamIds: ReadonlySet<AppId>;
  private samplesInBatch = 0;

  constructor(
    alert: AlertRecord,
    search: SavedSearch,
    streams: readonly SearchedStream[],
    nowMs: number,
    saved: WatchedAlertState | undefined,
    patterns: readonly PatternChange[],
  ) {
    this.alert = alert;
    this.search = search;
    this.streams = streams;
    this.streamIds = new Set(streams.map(({ id }) => id));
    this.run = new AlertRun(alert, nowMs, saved);
    const { condition, groupBy } = alert;
    if (condition.kind === 'new-pattern') this.miner = new TemplateMiner(condition.days * DAY_MS, patterns);
    if (groupBy !== undefined) this.valueOf = groupValueReader(groupBy);
    this.startAfter = new Map(Object.entries(saved?.startAfter ?? {}) as [AppId, Sequence][]);
  }

  looksAt(stream: AppId): boolean {
    return this.streamIds.has(stream);
  }

  /** Lines of a stream up to here came before it was made. */
  startBehind(stream: AppId, sequence: Sequence): void {
    this.startAfter.set(stream, sequence);
    this.run.isDirty = true;
  }

  /** Another batch comes: of each a few samples are taken at the most. */
  startBatch(): void {
    this.samplesInBatch = 0;
  }

  /** Counts a line that its search has found. */
  take(line: CurrentLine): void {
    const after = this.startAfter.get(line.stream.id);
    if (after !== undefined) {
      if (line.sequence <= after) return;
      this.startAfter.delete(line.stream.id);
    }
    const { run, miner } = this;
    let pattern: string | undefined;
    if (miner) {
      pattern = miner.learn(line.grouped.record.message, line.atMs);
      if (pattern === undefined || run.isLearning(line.atMs)) return;
    }
    const value = this.valueOf ? this.valueOf(line.grouped) : '';
    const sample = run.wantsSample(value, this.samplesInBatch, line.atMs) ? line.sample : undefined;
    if (sample) this.samplesInBatch++;
    run.add(value, line.atMs, sample, pattern);
  }

  /** Something has changed that has to be stored: {@link state}, or the miner's changes. */
  get isDirty(): boolean {
    return this.run.isDirty || this.miner?.isDirty === true;
  }

  /** For the constructor after a restart: plain JSON. */
  get state(): WatchedAlertState {
    return {
      ...this.run.state,
      ...(this.startAfter.size > 0 && { startAfter: Object.fromEntries(this.startAfter) }),
    };
  }
}
