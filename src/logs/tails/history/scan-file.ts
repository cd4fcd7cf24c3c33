/**
 * Scans a file of a stream for lines that match, in the thread that it is called in: it is read in large pieces into the memory that is
 * searched, and of what can't match nothing is read but the headers and checksums of entries.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { systemCode } from '../../../common/errors.ts';
import { scannedLineLevel, searchWindow, WINDOW_BYTES } from '../../query/prefilter/wasm-search.ts';
import {
  isHoled,
  isIntact,
  parseEntry,
  type SegmentEntry,
} from '../../store/embedded/segments/entry-format.ts';
import type { FilePlace, FollowedEvents } from '../../store/file-scanner.ts';
import { HEADROOM, RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import type { LineFilter } from '../../syslog/line-filter.ts';
import { lineLevel } from '../../syslog/record.ts';
import { CONTEXT_LINES } from '../event-scan.ts';
import { type ContextEntry, type EarlierLine, EventFollower, LineContext } from './event-follower.ts';
import { COLUMNS, type FoundLines, type ScanJob, type ScanReply } from './scan-job.ts';

/** Read at a time: what is checked and searched is still in the processor's cache. */
const READ_BYTES = 1_048_576;
/** Lines more than are wanted, before the first of them are forgotten. */
const SURPLUS_MAX = 10_000;
/** A scan takes about so long at the most, in milliseconds: others wait for the thread. */
const SCAN_MS_MAX = 50;

const NO_EVENTS: FollowedEvents = { events: [], begun: [] };

/** What is done at a time. */
export interface ScanLimits {
  readonly readBytes: number;
  readonly ms: number;
}

const LIMITS: ScanLimits = { readBytes: READ_BYTES, ms: SCAN_MS_MAX };

/**
 * Scans a part of a file. With a filter of whole events ({@link EventFollower}) lines come with the others of their events, as far as these are
 * in the same file: an event that goes on in the next one is one that the next scan goes on with (`events`), and one that began in the file before
 * begins with its first line in this one.
 * @param now milliseconds on a clock that never goes back
 */
export function scanFile(
  job: ScanJob,
  filter: LineFilter,
  now: () => number = () => performance.now(),
  limits: ScanLimits = LIMITS,
): ScanReply {
  let fd: number;
  try {
    fd = openSync(job.file.path, 'r');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  try {
    const reply = new FileScanRun(fd, job, filter, now, limits).run();
    // A file that was trimmed may be another one's by now, and what was read of it, too: then it has got another name before.
    const named = statSync(job.file.path, { throwIfNoEntry: false });
    return named?.ino === fstatSync(fd).ino ? reply : undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  } finally {
    closeSync(fd);
  }
}

class FileScanRun {
  private readonly fd: number;
  private readonly job: ScanJob;
  private readonly filter: LineFilter;
  private readonly now: () => number;
  private readonly limits: ScanLimits;
  private readonly hits: Hits;
  private readonly counts: UnitCounts;
  private scanned: number;
  private oldestMs = Number.POSITIVE_INFINITY;
  /** No line of the window before this place matches. */
  private candidate = 0;
  /** Lines of events are needed. */
  private readonly context: LineContext | undefined;
  private readonly wanted: EventFollower | undefined;
  private readonly errors: EventFollower | undefined;
  /** Lines in front of the range and behind it match too: others of their events may be in it. */
  private readonly matchAfter: number;
  private readonly matchThrough: number;

  constructor(fd: number, job: ScanJob, filter: LineFilter, now: () => number, limits: ScanLimits) {
    this.fd = fd;
    this.job = job;
    this.filter = filter;
    this.now = now;
    this.limits = limits;
    const { take, events, file, after, through } = job;
    this.hits = new Hits(take.kind === 'last' ? take.lines : Number.POSITIVE_INFINITY);
    this.counts = new UnitCounts(take.kind === 'counts' ? take.unitMs : 1);
    this.scanned = after;
    const isCount = take.kind === 'counts';
    if (isCount || filter.wholeEvents) this.context = new LineContext();
    if (this.context && filter.wholeEvents) this.wanted = new EventFollower(this.context, events?.wanted);
    if (this.context && isCount) this.errors = new EventFollower(this.context, events?.errors);
    this.matchAfter = this.wanted && !events ? after - CONTEXT_LINES : after;
    this.matchThrough = this.wanted ? Math.min(file.last, through + CONTEXT_LINES) : through;
  }

  run(): ScanReply {
    const { file, through, after } = this.job;
    const { readBytes, ms } = this.limits;
    const endMs = this.now() + ms;
    let at: FilePlace = this.job.from;
    for (let wanted = readBytes; at.offset < file.size; ) {
      const size = Math.min(wanted, file.size - at.offset);
      if (size > WINDOW_BYTES) return undefined;
      const window = searchWindow().subarray(0, size);
      this.context?.keep();
      if (readSync(this.fd, window, 0, size, at.offset) < size) return undefined;
      const stop = this.scanWindow(window, at);
      if (stop === undefined) return undefined;
      const { isEnough, isDone, next, wanted: more } = stop;
      // An entry that goes on behind the end of the file, or isn't one.
      if (!isEnough && next.offset === at.offset && (more <= size || size === file.size - at.offset))
        return undefined;
      at = next;
      wanted = more;
      if (isDone) break;
      // Who goes on reads again what is needed of the lines before: each scan comes further.
      const isOver = this.now() >= endMs && this.scanned > after && this.scanned < through;
      if (isEnough || isOver)
        return this.reply(at.offset < file.size ? (this.context?.place ?? at) : undefined);
    }
    return this.reply(undefined);
  }

  /** Scans the entries of which all is in the window; undefined when one of them is damaged. */
  private scanWindow(
    window: Buffer,
    { offset, bytesSoFar }: FilePlace,
  ): { next: FilePlace; wanted: number; isEnough: boolean; isDone: boolean } | undefined {
    const { job, filter, context } = this;
    const mayMatch = filter.matchesAll || filter.mayMatch(window);
    this.candidate = mayMatch ? 0 : Number.POSITIVE_INFINITY;
    let at = 0;
    let before = bytesSoFar;
    const stop = (wanted: number, isEnough: boolean, isDone = false) => ({
      next: { offset: offset + at, bytesSoFar: before },
      wanted,
      isEnough,
      isDone,
    });
    const { readBytes } = this.limits;
    while (at < window.length) {
      const entry = parseEntry(window, at, offset, before);
      const isCutOff = entry ? entry.end - offset > window.length : at > 0;
      if (isCutOff) return stop(entry && at === 0 ? entry.end - entry.start : readBytes, false);
      // One of which lines were deleted is read by who knows what is left of it.
      if (!entry || isHoled(window, entry.batchStart - offset)) return undefined;
      if (!isIntact(window, entry, offset, job.file.seed)) return undefined;
      // Lines that are missing in between are reported by who reads them one after the other.
      if (job.take.kind === 'first' && entry.first > this.scanned + 1) return stop(readBytes, true);
      context?.add(contextEntry(window, entry, offset, { offset: offset + at, bytesSoFar: before }));
      if (mayMatch || this.isFollowing) this.scanEntry(window, entry, offset);
      this.scanned = Math.max(this.scanned, Math.min(entry.last, job.through));
      this.oldestMs = Math.min(this.oldestMs, entry.storedAtMs);
      at = entry.end - offset;
      before = entry.bytesSoFar;
      const isDone = entry.last >= this.matchThrough;
      if (isDone || this.hasEnough()) return stop(readBytes, true, isDone);
    }
    return stop(readBytes, false);
  }

  private hasEnough(): boolean {
    const { take } = this.job;
    return take.kind === 'first' && (this.hits.count >= take.lines || this.hits.bytes >= take.bytes);
  }

  private get isFollowing(): boolean {
    return (this.wanted?.isFollowing ?? false) || (this.errors?.isFollowing ?? false);
  }

  private scanEntry(window: Buffer, entry: SegmentEntry, offset: number): void {
    const { job, filter, wanted, errors, matchAfter, matchThrough } = this;
    const { after, through, take } = job;
    const { storedAtMs, first, last } = entry;
    if (last <= matchAfter || first > matchThrough) return;
    if (take.kind === 'counts' && storedAtMs < take.notBeforeMs) return;
    const end = entry.end - offset;
    const start = entry.batchStart - offset + HEADROOM;
    const { matchesAll } = filter;
    if (!matchesAll && !this.isFollowing && !this.reaches(start, end)) return;
    const line = new RecordCursor(window, start, end);
    const skipped = Math.max(0, matchAfter + 1 - first);
    line.skip(skipped);
    for (let sequence = first + skipped; sequence <= matchThrough && line.advance(); sequence++) {
      const goesOn = wanted?.isFollowing && wanted.goesOn(line, window, sequence);
      const isRepeated = errors?.isFollowing && errors.goesOn(line, window, sequence);
      if (!matchesAll && !goesOn) {
        if (line.textEnd <= this.candidate) continue;
        if (!this.reaches(line.textStart, end)) {
          if (this.isFollowing) continue;
          return;
        }
        if (line.textEnd <= this.candidate || !filter.matches(line, window)) continue;
        const earlier = wanted?.follow(line, window, sequence);
        if (earlier && earlier.length > 0) this.addEarlier(earlier);
      }
      if (sequence <= after || sequence > through) continue;
      if (take.kind !== 'counts')
        this.hits.add(
          sequence,
          offset + line.textStart - RECORD_HEADER,
          line.textEnd - line.textStart + RECORD_HEADER,
          storedAtMs,
        );
      else this.count(line, window, sequence, storedAtMs, isRepeated ?? false);
    }
  }

  private count(
    line: RecordCursor,
    window: Buffer,
    sequence: number,
    storedAtMs: number,
    isRepeated: boolean,
  ): void {
    let level = scannedLineLevel(line, window);
    if (level === 'error') {
      const isFirst =
        !isRepeated &&
        !this.errors
          ?.follow(line, window, sequence)
          .some((one) => lineLevel(one.line, one.entry.bytes) === 'error');
      if (!isFirst) level = 'info';
    }
    this.counts.add(storedAtMs, level);
  }

  /** Lines in front of one that was found, of the same event. */
  private addEarlier(lines: readonly EarlierLine[]): void {
    const { eventsAfter, through, take } = this.job;
    let hasError = false;
    for (const { line, entry, sequence } of lines) {
      const { bytes, offset, storedAtMs } = entry;
      const level = take.kind === 'counts' ? lineLevel(line, bytes) : undefined;
      const isGiven = sequence > eventsAfter && sequence <= through;
      if (isGiven && take.kind !== 'counts')
        this.hits.add(
          sequence,
          offset + line.textStart - RECORD_HEADER,
          line.textEnd - line.textStart + RECORD_HEADER,
          storedAtMs,
        );
      else if (isGiven && take.kind === 'counts' && storedAtMs >= take.notBeforeMs)
        this.counts.add(storedAtMs, level === 'error' && hasError ? 'info' : (level ?? 'info'));
      hasError ||= level === 'error';
    }
  }

  /** May a line match that begins at `from` or behind it and before `end`? */
  private reaches(from: number, end: number): boolean {
    if (this.candidate <= from) this.candidate = this.filter.nextCandidate(from);
    return this.candidate < end;
  }

  private reply(rest: FilePlace | undefined): ScanReply {
    const { take } = this.job;
    const { hits, scanned } = this;
    hits.prune();
    return {
      scanned,
      rest,
      sequences: Float64Array.from(hits.sequences),
      found: take.kind === 'last' && hits.bytes > take.bytes ? undefined : hits.read(this.fd),
      counts: this.counts.take(),
      events: {
        wanted: this.wanted?.carry(scanned) ?? NO_EVENTS,
        errors: this.errors?.carry(scanned) ?? NO_EVENTS,
      },
      oldestMs: this.oldestMs,
    };
  }
}

function contextEntry(window: Buffer, entry: SegmentEntry, offset: number, place: FilePlace): ContextEntry {
  const { batchStart, end, first, last, storedAtMs } = entry;
  return {
    bytes: window,
    start: batchStart - offset + HEADROOM,
    end: end - offset,
    offset,
    first,
    last,
    storedAtMs,
    place,
    starts: undefined,
  };
}

/** Lines that were found, by where they are. */
class Hits {
  private readonly linesMax: number;
  sequences: number[] = [];
  private offsets: number[] = [];
  private lengths: number[] = [];
  private times: number[] = [];
  private isSorted = true;
  bytes = 0;

  /** @param linesMax of more only the last ones are kept */
  constructor(linesMax: number) {
    this.linesMax = linesMax;
  }

  get count(): number {
    return this.sequences.length;
  }

  add(sequence: number, offset: number, length: number, storedAtMs: number): void {
    // Lines of an event come with the first of them that matches.
    if (sequence <= this.sequences[this.sequences.length - 1]) this.isSorted = false;
    this.sequences.push(sequence);
    this.offsets.push(offset);
    this.lengths.push(length);
    this.times.push(storedAtMs);
    this.bytes += length;
    if (this.sequences.length >= 2 * this.linesMax + SURPLUS_MAX) this.prune();
  }

  /** Only the last lines are kept, in their order. */
  prune(): void {
    if (!this.isSorted) this.sort();
    const surplus = this.sequences.length - this.linesMax;
    if (surplus <= 0) return;
    for (const length of this.lengths.slice(0, surplus)) this.bytes -= length;
    this.sequences = this.sequences.slice(surplus);
    this.offsets = this.offsets.slice(surplus);
    this.lengths = this.lengths.slice(surplus);
    this.times = this.times.slice(surplus);
  }

  private sort(): void {
    const { sequences } = this;
    const order = sequences.map((_, i) => i).sort((a, b) => sequences[a] - sequences[b]);
    const kept = order.filter((i, k) => k === 0 || sequences[i] !== sequences[order[k - 1]]);
    this.sequences = kept.map((i) => sequences[i]);
    this.offsets = kept.map((i) => this.offsets[i]);
    this.lengths = kept.map((i) => this.lengths[i]);
    this.times = kept.map((i) => this.times[i]);
    this.bytes = this.lengths.reduce((sum, length) => sum + length, 0);
    this.isSorted = true;
  }

  /** The lines, those that follow each other in one batch. */
  read(fd: number): FoundLines {
    const { sequences, offsets, lengths, times } = this;
    const starts: number[] = [];
    for (let i = 0; i < sequences.length; i++)
      if (i === 0 || sequences[i] !== sequences[i - 1] + 1 || offsets[i] !== offsets[i - 1] + lengths[i - 1])
        starts.push(i);
    const bytes = new Uint8Array(starts.length * HEADROOM + this.bytes);
    const batches = new Float64Array(starts.length * COLUMNS);
    let end = 0;
    starts.forEach((start, k) => {
      const next = starts[k + 1] ?? sequences.length;
      const length = offsets[next - 1] + lengths[next - 1] - offsets[start];
      const at = end + HEADROOM;
      if (readSync(fd, bytes, at, length, offsets[start]) < length)
        throw Object.assign(new Error('the file was cut off'), { code: 'EIO' });
      end = at + length;
      batches.set([end, sequences[start], next - start, times[start]], k * COLUMNS);
    });
    return { bytes, batches };
  }
}

/** Lines that were counted, by when they were stored and how serious they are. */
class UnitCounts {
  private readonly unitMs: number;
  private readonly units = new Map<number, Float64Array<ArrayBuffer>>();
  private startMs = Number.NaN;
  private current = new Float64Array(COLUMNS);

  constructor(unitMs: number) {
    this.unitMs = unitMs;
  }

  add(storedAtMs: number, level: string): void {
    if (!(storedAtMs >= this.startMs && storedAtMs < this.startMs + this.unitMs)) this.begin(storedAtMs);
    this.current[level === 'error' ? 1 : level === 'warn' ? 2 : 3]++;
  }

  take(): Float64Array<ArrayBuffer> {
    const all = new Float64Array(this.units.size * COLUMNS);
    let at = 0;
    for (const unit of this.units.values()) {
      all.set(unit, at);
      at += COLUMNS;
    }
    return all;
  }

  private begin(storedAtMs: number): void {
    this.startMs = Math.floor(storedAtMs / this.unitMs) * this.unitMs;
    let unit = this.units.get(this.startMs);
    if (!unit) {
      unit = new Float64Array(COLUMNS);
      unit[0] = this.startMs;
      this.units.set(this.startMs, unit);
    }
    this.current = unit;
  }
}
