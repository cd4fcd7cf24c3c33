/**
 * One search of a stream's history, as far as it is in closed files: these are scanned on threads, so that the event loop only gets what was
 * found. Whatever can't be scanned there, because it isn't in a closed file or the file is damaged or gone, has to be read.
 *
 * Events (stack traces) that cross from one file to another, or to what is read: who searches forward gets all lines of them after the first one
 * that matches. Who searches backward gets of each part what matches in it, with the other lines of the event in the same part; counts have an
 * error in each.
 */
import type { Sequence, StoredBatch, StreamFile } from '../../store/contract.ts';
import type { FilePlace, FileScan, FileScanResult, FileTake, OpenEvents } from '../../store/file-scanner.ts';
import type { StreamReader } from '../../store/stream-reader.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import { goOnAfter, openEventsAfter } from '../event-scan.ts';

import { COLUMNS } from './scan-job.ts';

/** What was found matches. */
export const EVERYTHING = new LineFilter();

/** What a search reads of a stream. */
export type SearchedStream = Pick<StreamReader, 'app' | 'scanner' | 'closedFileOf'>;

/** Lines that were found at the end of a range. */
export interface LastFound {
  /** Nothing from this line on is left to search. */
  readonly first: Sequence;
  /** The numbers of the lines that match, the last so many, and the lines; undefined when they are too large. */
  readonly sequences: readonly Sequence[];
  readonly batches: readonly StoredBatch[] | undefined;
}

/** Lines that were found at the start of a range. */
export interface FirstFound {
  /** Everything up to this line was looked at. */
  readonly scanned: Sequence;
  readonly batches: readonly StoredBatch[];
}

/** Lines that were counted. */
export interface FileCounts {
  readonly first: Sequence;
  /** Of each unit its start, errors, warnings, others. */
  readonly counts: Float64Array;
  readonly oldestMs: number;
}

/** Of a file so many counts, of different filters, and so many units of each, are kept for who asks again. */
const KEPT_COUNTS_MAX = 8;
const KEPT_UNITS_MAX = 2_000;
/** Counts of whole files, by the filter: what is in a closed file doesn't change. */
const keptCounts = new WeakMap<object, Map<string, FileCounts>>();

/** Who waits for their turn for so long is told so. */
const WAIT_MS = 3_000;

let searches = 0;

export class FileSearch {
  private readonly stream: SearchedStream;
  private readonly filter: LineFilter;
  private readonly isCancelled: () => boolean;
  private readonly onWait: (() => void) | undefined;
  private readonly waitMs: number;
  private readonly owner = `search ${++searches}`;
  private hasWaited = false;
  /** Files that have to be read. */
  private readonly unreadable = new Set<string>();
  /** Where the search for the first lines goes on. */
  private next: { readonly path: string; readonly after: Sequence; readonly from: FilePlace } | undefined;

  /** Events that may go on where it does. */
  private carried: { readonly after: Sequence; readonly events: OpenEvents } | undefined;

  /**
   * @param onWait called once, when so many search that this one waits for its turn
   * @param waitMs for so long at the least
   */
  constructor(
    stream: SearchedStream,
    filter: LineFilter,
    isCancelled: () => boolean,
    onWait?: () => void,
    waitMs = WAIT_MS,
  ) {
    this.onWait = onWait;
    this.waitMs = waitMs;
    this.stream = stream;
    this.filter = filter;
    this.isCancelled = isCancelled;
  }

  /**
   * The last lines that match of the file that holds line `through`, of those after line `after`; undefined when they have to be read.
   * @param bytes of the lines at the most
   */
  async last(
    after: Sequence,
    through: Sequence,
    lines: number,
    bytes: number,
  ): Promise<LastFound | undefined> {
    const file = this.fileOf(through);
    if (!file) return undefined;
    const parts = await this.scanAll(file, after, through, { kind: 'last', lines, bytes });
    if (!parts) return undefined;
    const isComplete = parts.every(({ batches }) => batches);
    const batches = parts.flatMap(({ batches }) => batches ?? []).sort((a, b) => a.first - b.first);
    // A part may have lines before its start: of events of which it has found another line.
    const isDisjoint = batches.every((batch, i) => i === 0 || batch.first > batches[i - 1].last);
    const sequences = [...new Set(parts.flatMap(({ sequences }) => [...sequences]))];
    return {
      first: Math.max(file.first, after + 1),
      sequences: sequences.sort((a, b) => a - b).slice(-lines),
      batches: isComplete && isDisjoint ? batches : undefined,
    };
  }

  /** The lines that match of the file that holds line `through`, counted; undefined when they have to be read. */
  async counts(
    after: Sequence,
    through: Sequence,
    unitMs: number,
    notBeforeMs: number,
  ): Promise<FileCounts | undefined> {
    const file = this.fileOf(through);
    if (!file) return undefined;
    const isWhole = after < file.first && through >= file.last;
    const key = `${file.first} ${unitMs} ${this.filter.key}`;
    const kept = isWhole ? keptCounts.get(file.identity)?.get(key) : undefined;
    if (kept && kept.oldestMs >= notBeforeMs) return kept;
    const parts = await this.scanAll(file, after, through, { kind: 'counts', unitMs, notBeforeMs });
    if (!parts) return undefined;
    const found = {
      first: Math.max(file.first, after + 1),
      counts: Float64Array.from(parts.flatMap(({ counts }) => [...counts])),
      oldestMs: Math.min(...parts.map(({ oldestMs }) => oldestMs)),
    };
    const isKept = isWhole && !this.isCancelled() && found.oldestMs >= notBeforeMs;
    if (isKept && found.counts.length <= KEPT_UNITS_MAX * COLUMNS) keep(file.identity, key, found);
    return found;
  }

  /** Lines that match after one line and up to another, about so many or so many bytes of them; undefined when they have to be read. */
  async first(
    after: Sequence,
    through: Sequence,
    lines: number,
    bytes: number,
  ): Promise<FirstFound | undefined> {
    const file = this.fileOf(after + 1);
    if (!file) return undefined;
    const { next, filter } = this;
    const events = this.carried?.after === after ? this.carried.events : openEventsAfter(filter, after);
    const result = await this.scan({
      file,
      from: next?.path === file.path && next.after === after ? next.from : undefined,
      after,
      through: Math.min(through, file.last),
      filter,
      take: { kind: 'first', lines, bytes },
      events,
    });
    if (!result) this.unreadable.add(file.path);
    // Lines are missing: whoever reads them is told what is.
    if (!result?.batches || result.scanned <= after) return undefined;
    this.carried = { after: result.scanned, events: result.events };
    goOnAfter(filter, result.scanned, result.events);
    this.next = result.rest && { path: file.path, after: result.scanned, from: result.rest };
    return { scanned: result.scanned, batches: result.batches };
  }

  private async scan(scan: FileScan): Promise<FileScanResult | undefined> {
    const timer = setTimeout(() => this.isWaiting(), this.waitMs).unref();
    try {
      return await this.stream.scanner?.scan(this.owner, scan);
    } finally {
      clearTimeout(timer);
    }
  }

  private isWaiting(): void {
    if (!this.hasWaited && !this.isCancelled()) this.onWait?.();
    this.hasWaited = true;
  }

  private fileOf(sequence: Sequence): StreamFile | undefined {
    if (!this.stream.scanner) return undefined;
    const file = this.stream.closedFileOf(sequence);
    return file && !this.unreadable.has(file.path) ? file : undefined;
  }

  /** Scans a file, part by part, so that others have their turn. */
  private async scanAll(
    file: StreamFile,
    after: Sequence,
    through: Sequence,
    take: FileTake,
  ): Promise<FileScanResult[] | undefined> {
    const parts: FileScanResult[] = [];
    for (let from: FilePlace | undefined; ; ) {
      const part = await this.scan({
        file,
        from,
        after: Math.max(after, parts.at(-1)?.scanned ?? 0),
        through,
        filter: this.filter,
        take,
        events: parts.at(-1)?.events,
        eventsAfter: after,
      });
      if (!part) {
        this.unreadable.add(file.path);
        return undefined;
      }
      parts.push(part);
      from = part.rest;
      if (!from || this.isCancelled()) return parts;
    }
  }
}

function keep(identity: object, key: string, counts: FileCounts): void {
  let variants = keptCounts.get(identity);
  if (!variants) {
    variants = new Map();
    keptCounts.set(identity, variants);
  }
  for (const oldest of variants.keys()) {
    if (variants.size < KEPT_COUNTS_MAX) break;
    variants.delete(oldest);
  }
  variants.set(key, counts);
}
