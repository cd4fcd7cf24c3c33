/** Does jobs, in the thread that it is called in. */
import { basename } from 'node:path';
import { RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import type { LogLevel } from '../../../../src/logs/syslog/level.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import { fieldReader } from '../fields/field-reader.ts';
import { parsePartName } from '../parts/part-names.ts';
import { PartWriter } from '../parts/part-writer.ts';
import { HitCollector } from '../scan/hit-collector.ts';
import { MatchingLines, type TakeLine } from '../scan/matching-lines.ts';
import { filterBlocks } from './filter-blocks.ts';
import type {
  CountsJob,
  CountsReply,
  EraseJob,
  EraseReply,
  HitsJob,
  HitsReply,
  Job,
  JobReplies,
  JobReply,
  MergeJob,
  PackJob,
  PackReply,
  ReadJob,
  ScanSelection,
  ScanSource,
  SealJob,
  SealReply,
  ValuesJob,
  ValuesReply,
} from './job.ts';
import { forEachBlock, type ScanOutcome } from './scan-blocks.ts';
import { type ColumnTally, type FileSource, tallyCounts, tallyValues } from './tally-columns.ts';

/** Values of a field that are counted by themselves; what comes beyond is counted together. */
const VALUES_MAX = 100_000;

/** What goes on from job to job: the parts that are being written. */
export class JobWorker {
  private readonly writers = new Map<string, PartWriter>();

  /** Does a job at once, on whatever thread this is. @throws what it fails with */
  run<J extends Job>(job: J): JobReply<J> {
    return this.dispatch(job) as JobReply<J>;
  }

  private dispatch(job: Job): JobReplies[Job['kind']] {
    switch (job.kind) {
      case 'hits':
        return findHits(job);
      case 'counts':
        return countLines(job);
      case 'values':
        return countValues(job);
      case 'read':
        return readLines(job);
      case 'filter':
        return filterBlocks(job);
      case 'pack':
        return this.pack(job);
      case 'seal':
        return this.seal(job);
      case 'abandon':
        this.writers.get(job.path)?.abandon();
        this.writers.delete(job.path);
        return undefined;
      case 'merge':
        return mergeParts(job);
      case 'erase':
        return eraseFromPart(job);
    }
  }

  private pack({ path, lines, after }: PackJob): PackReply {
    let writer = this.writers.get(path);
    if (!writer) {
      writer = new PartWriter(path);
      this.writers.set(path, writer);
    }
    try {
      const blocks = [];
      for (const one of lines) blocks.push(...writer.add(one, after));
      return { blocks };
    } catch (error) {
      // A full disk: the part is begun anew.
      this.writers.delete(path);
      writer.abandon();
      throw error;
    }
  }

  private seal({ path, prefix = '', suffix = '' }: SealJob): SealReply {
    const writer = this.writers.get(path);
    this.writers.delete(path);
    if (!writer) return { part: undefined };
    try {
      return { part: writer.seal(prefix, suffix) };
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }
}

function findHits({ selection, source, direction, cursor, limit }: HitsJob): HitsReply {
  const { stream, query, fromMs, toMs } = selection;
  const matching = new MatchingLines(query, fromMs, toMs);
  const collector = new HitCollector(stream, direction, cursor, limit);
  const outcome = forEachBlock(source, (lines) => {
    matching.forEach(lines, (line, bytes, sequence, timeMs, receivedAtMs) =>
      collector.add(line, bytes, sequence, timeMs, receivedAtMs),
    );
    collector.endBlock();
  });
  return { hits: collector.take(), ...outcome };
}

function readLines({ selection, source, from, to }: ReadJob): HitsReply {
  const matching = new MatchingLines(selection.query, selection.fromMs, selection.toMs);
  const found: { sequence: number; timeMs: number; receivedAtMs: number; record: Uint8Array }[] = [];
  const outcome = forEachBlock(source, (lines) =>
    matching.forEach(lines, (line, bytes, sequence, timeMs, receivedAtMs) => {
      if (sequence < from || sequence > to) return;
      const record = Uint8Array.prototype.slice.call(bytes, line.textStart - RECORD_HEADER, line.textEnd);
      found.push({ sequence, timeMs, receivedAtMs, record });
    }),
  );
  let end = 0;
  return {
    ...outcome,
    hits: {
      times: Float64Array.from(found, ({ timeMs }) => timeMs),
      sequences: Float64Array.from(found, ({ sequence }) => sequence),
      received: Float64Array.from(found, ({ receivedAtMs }) => receivedAtMs),
      ends: Float64Array.from(found, ({ record }) => {
        end += record.length;
        return end;
      }),
      records: new Uint8Array(Buffer.concat(found.map(({ record }) => record))),
    },
  };
}

function countLines(job: CountsJob): CountsReply {
  const { selection, source, stepMs } = job;
  const buckets = new Map<number, Float64Array>();
  const add = (timeMs: number, level: LogLevel, lines: number): void => {
    const start = Math.floor(timeMs / stepMs) * stepMs;
    let counts = buckets.get(start);
    if (!counts) {
      counts = new Float64Array(3);
      buckets.set(start, counts);
    }
    counts[level === 'error' ? 0 : level === 'warn' ? 1 : 2] += lines;
  };
  const outcome = tallyLines(
    source,
    (file, count) => tallyCounts(job, file, count ? add : undefined),
    selection,
    (line, bytes, _sequence, timeMs) => add(timeMs, lineLevel(line, bytes), 1),
  );
  const flat = new Float64Array(buckets.size * 4);
  let at = 0;
  for (const [start, counts] of buckets) {
    flat[at++] = start;
    for (const count of counts) flat[at++] = count;
  }
  return { buckets: flat, ...outcome };
}

function countValues(job: ValuesJob): ValuesReply {
  const { selection, source, field } = job;
  const readValue = fieldReader(field);
  const values = new Map<string, number>();
  let missing = 0;
  let others = 0;
  const add = (value: string | undefined, lines: number): void => {
    if (value === undefined) missing += lines;
    else if (values.size < VALUES_MAX || values.has(value))
      values.set(value, (values.get(value) ?? 0) + lines);
    else others += lines;
  };
  const outcome = tallyLines(
    source,
    (file, count) => tallyValues(job, file, count ? add : undefined),
    selection,
    (line, bytes) => add(readValue(line, bytes), 1),
  );
  return { values, others, missing, ...outcome };
}

/**
 * Counts lines: by the columns of a part, or by reading them.
 * @param byColumns what the columns tell; counts those lines when it is asked to
 */
function tallyLines(
  source: ScanSource,
  byColumns: (file: FileSource, count: boolean) => ColumnTally | undefined,
  { query, fromMs, toMs }: ScanSelection,
  take: TakeLine,
): ScanOutcome & { readonly toRead?: readonly BlockEntry[] } {
  const ofColumns = source.kind === 'file' && source.lines !== undefined;
  const tally = ofColumns ? byColumns(source, source.lines === 'in-columns') : undefined;
  if (ofColumns && source.lines === 'in-columns')
    return {
      faults: [],
      isGone: false,
      toRead: tally
        ? tally.blocks.filter(({ from, to }) => tally.toRead.some(from, to)).map(({ entry }) => entry)
        : source.blocks,
    };
  const ranges = tally && new Map(tally.blocks.map(({ entry, from }) => [entry.offset, from]));
  const matching = new MatchingLines(query, fromMs, toMs);
  return forEachBlock(source, (lines, block) => {
    const from = block && ranges?.get(block.offset);
    matching.forEach(lines, take, tally && from !== undefined ? { bits: tally.toRead, from } : undefined);
  });
}

function eraseFromPart({ path, source, selection, isDryRun }: EraseJob): EraseReply {
  const range = parsePartName(basename(source.path));
  const wanted = new MatchingLines(selection.query, selection.fromMs, selection.toMs);
  const all = new MatchingLines(undefined, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  const erased = new Set<number>();
  const file = { kind: 'file', ...source } as const;
  const { faults } = forEachBlock(file, (lines) =>
    wanted.forEach(lines, (_line, _bytes, sequence) => erased.add(sequence)),
  );
  const nothing = { part: undefined, erased: Float64Array.from(erased), faults };
  if (isDryRun || erased.size === 0 || faults.length > 0) return nothing;
  const writer = new PartWriter(path);
  try {
    forEachBlock(file, (lines) =>
      all.forEach(lines, (line, bytes, sequence, _timeMs, receivedAtMs) => {
        if (!erased.has(sequence)) writer.addLine(line, bytes, sequence, receivedAtMs);
      }),
    );
    return { ...nothing, part: writer.seal('', '', range) };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

function mergeParts({ path, sources }: MergeJob): SealReply {
  const writer = new PartWriter(path);
  try {
    for (const source of sources) {
      const matching = new MatchingLines(undefined, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
      const { faults } = forEachBlock({ kind: 'file', ...source }, (lines) =>
        matching.forEach(lines, (line, bytes, sequence, _timeMs, receivedAtMs) =>
          writer.addLine(line, bytes, sequence, receivedAtMs),
        ),
      );
      // What is damaged stays as it is, in its own file.
      if (faults.length > 0) {
        writer.abandon();
        return { part: undefined };
      }
    }
    return { part: writer.seal() };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
