/**
 * Scans a file of a stream for lines that match, in the thread that it is called in: it is read in large pieces into the memory that is
 * searched, and of what can't match nothing is read but the headers and checksums of entries.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../../../common/errors.ts';
import { scannedLineLevel, searchWindow, WINDOW_BYTES } from '../../query/prefilter/wasm-search.ts';
import { isIntact, parseEntry, type SegmentEntry } from '../../store/embedded/segments/entry-format.ts';
import type { FilePlace } from '../../store/file-scanner.ts';
import { HEADROOM, RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import type { LineFilter } from '../../syslog/line-filter.ts';
import { COLUMNS, type FoundLines, type ScanJob, type ScanReply } from './scan-job.ts';

/** Read at a time: what is checked and searched is still in the processor's cache. */
const READ_BYTES = 1_048_576;
/** Lines more than are wanted, before the first of them are forgotten. */
const SURPLUS_MAX = 10_000;
/** A scan takes about so long at the most, in milliseconds: others wait for the thread. */
const SCAN_MS_MAX = 50;

/** @param now milliseconds on a clock that never goes back */
export function scanFile(
  job: ScanJob,
  filter: LineFilter,
  now: () => number = () => performance.now(),
): ScanReply {
  let fd: number;
  try {
    fd = openSync(job.file.path, 'r');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  try {
    return new FileScanRun(fd, job, filter, now).run();
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
  private readonly hits: Hits;
  private readonly counts: UnitCounts;
  private scanned: number;
  private oldestMs = Number.POSITIVE_INFINITY;
  /** No line of the window before this place matches. */
  private candidate = 0;

  constructor(fd: number, job: ScanJob, filter: LineFilter, now: () => number) {
    this.fd = fd;
    this.job = job;
    this.filter = filter;
    this.now = now;
    const { take } = job;
    this.hits = new Hits(take.kind === 'last' ? take.lines : Number.POSITIVE_INFINITY);
    this.counts = new UnitCounts(take.kind === 'counts' ? take.unitMs : 1);
    this.scanned = job.after;
  }

  run(): ScanReply {
    const { file, through } = this.job;
    const endMs = this.now() + SCAN_MS_MAX;
    let at: FilePlace | undefined = this.job.from;
    for (let wanted = READ_BYTES; at.offset < file.size; ) {
      const size = Math.min(wanted, file.size - at.offset);
      if (size > WINDOW_BYTES) return undefined;
      const window = searchWindow().subarray(0, size);
      if (readSync(this.fd, window, 0, size, at.offset) < size) return undefined;
      const stop = this.scanWindow(window, at);
      if (stop === undefined) return undefined;
      const { isEnough, next, wanted: more } = stop;
      // An entry that goes on behind the end of the file, or isn't one.
      if (!isEnough && next.offset === at.offset && (more <= size || size === file.size - at.offset))
        return undefined;
      at = next;
      wanted = more;
      if (this.scanned >= through) break;
      if (isEnough || this.now() >= endMs) return this.reply(at.offset < file.size ? at : undefined);
    }
    return this.reply(undefined);
  }

  /** Scans the entries of which all is in the window; undefined when one of them is damaged. */
  private scanWindow(
    window: Buffer,
    { offset, bytesSoFar }: FilePlace,
  ): { next: FilePlace; wanted: number; isEnough: boolean } | undefined {
    const { job, filter } = this;
    const mayMatch = filter.matchesAll || filter.mayMatch(window);
    this.candidate = 0;
    let at = 0;
    let before = bytesSoFar;
    while (at < window.length) {
      const entry = parseEntry(window, at, offset, before);
      const isCutOff = entry ? entry.end - offset > window.length : at > 0;
      if (isCutOff) {
        const wanted = entry && at === 0 ? entry.end - entry.start : READ_BYTES;
        return { next: { offset: offset + at, bytesSoFar: before }, wanted, isEnough: false };
      }
      if (!entry || !isIntact(window, entry, offset, job.file.seed)) return undefined;
      // Lines that are missing in between are reported by who reads them one after the other.
      if (job.take.kind === 'first' && entry.first > this.scanned + 1)
        return { next: { offset: offset + at, bytesSoFar: before }, wanted: READ_BYTES, isEnough: true };
      if (mayMatch) this.scanEntry(window, entry, offset);
      this.scanned = Math.max(this.scanned, Math.min(entry.last, job.through));
      this.oldestMs = Math.min(this.oldestMs, entry.storedAtMs);
      at = entry.end - offset;
      before = entry.bytesSoFar;
      if (this.scanned >= job.through || this.hasEnough())
        return { next: { offset: entry.end, bytesSoFar: before }, wanted: READ_BYTES, isEnough: true };
    }
    return { next: { offset: offset + at, bytesSoFar: before }, wanted: READ_BYTES, isEnough: false };
  }

  private hasEnough(): boolean {
    const { take } = this.job;
    return take.kind === 'first' && (this.hits.count >= take.lines || this.hits.bytes >= take.bytes);
  }

  private scanEntry(window: Buffer, entry: SegmentEntry, offset: number): void {
    const { job, filter, hits, counts } = this;
    const { after, through, take } = job;
    const { storedAtMs, first, last } = entry;
    if (last <= after || first > through) return;
    if (take.kind === 'counts' && storedAtMs < take.notBeforeMs) return;
    const end = entry.end - offset;
    const start = entry.batchStart - offset + HEADROOM;
    if (!filter.matchesAll && !this.reaches(start, end)) return;
    const line = new RecordCursor(window, start, end);
    const skipped = Math.max(0, after + 1 - first);
    line.skip(skipped);
    for (let sequence = first + skipped; sequence <= through && line.advance(); sequence++) {
      if (!filter.matchesAll) {
        if (line.textEnd <= this.candidate) continue;
        if (!this.reaches(line.textStart, end)) return;
        if (line.textEnd <= this.candidate || !filter.matches(line, window)) continue;
      }
      if (take.kind === 'counts') counts.add(storedAtMs, scannedLineLevel(line, window));
      else
        hits.add(
          sequence,
          offset + line.textStart - RECORD_HEADER,
          line.textEnd - line.textStart + RECORD_HEADER,
          storedAtMs,
        );
    }
  }

  /** May a line match that begins at `from` or behind it and before `end`? */
  private reaches(from: number, end: number): boolean {
    if (this.candidate <= from) this.candidate = this.filter.nextCandidate(from);
    return this.candidate < end;
  }

  private reply(rest: FilePlace | undefined): ScanReply {
    const { take } = this.job;
    const { hits } = this;
    hits.prune();
    return {
      scanned: this.scanned,
      rest,
      sequences: Float64Array.from(hits.sequences),
      found: take.kind === 'last' && hits.bytes > take.bytes ? undefined : hits.read(this.fd),
      counts: this.counts.take(),
      oldestMs: this.oldestMs,
    };
  }
}

/** Lines that were found, by where they are. */
class Hits {
  private readonly linesMax: number;
  sequences: number[] = [];
  private offsets: number[] = [];
  private lengths: number[] = [];
  private times: number[] = [];
  bytes = 0;

  /** @param linesMax of more only the last ones are kept */
  constructor(linesMax: number) {
    this.linesMax = linesMax;
  }

  get count(): number {
    return this.sequences.length;
  }

  add(sequence: number, offset: number, length: number, storedAtMs: number): void {
    this.sequences.push(sequence);
    this.offsets.push(offset);
    this.lengths.push(length);
    this.times.push(storedAtMs);
    this.bytes += length;
    if (this.sequences.length >= 2 * this.linesMax + SURPLUS_MAX) this.prune();
  }

  /** Only the last lines are kept. */
  prune(): void {
    const surplus = this.sequences.length - this.linesMax;
    if (surplus <= 0) return;
    for (const length of this.lengths.slice(0, surplus)) this.bytes -= length;
    this.sequences = this.sequences.slice(surplus);
    this.offsets = this.offsets.slice(surplus);
    this.lengths = this.lengths.slice(surplus);
    this.times = this.times.slice(surplus);
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
