/** Does jobs, in the thread that it is called in. */
import { RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import { fieldReader } from '../fields/field-reader.ts';
import { PartWriter } from '../parts/part-writer.ts';
import { HitCollector } from '../scan/hit-collector.ts';
import { MatchingLines } from '../scan/matching-lines.ts';
import { filterBlocks } from './filter-blocks.ts';
import type {
  CountsJob,
  CountsReply,
  HitsJob,
  HitsReply,
  Job,
  JobReplies,
  JobReply,
  MergeJob,
  PackJob,
  PackReply,
  ReadJob,
  SealJob,
  SealReply,
  ValuesJob,
  ValuesReply,
} from './job.ts';
import { forEachBlock } from './scan-blocks.ts';

/** Values of a field that are counted by themselves; what comes beyond is counted together. */
const VALUES_MAX = 100_000;

/** What goes on from job to job: the parts that are being written. */
export class JobWorker {
  private readonly writers = new Map<string, PartWriter>();

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
  const outcome = forEachBlock(source, (lines) =>
    matching.forEach(lines, (line, bytes, sequence, timeMs, receivedAtMs) =>
      collector.add(line, bytes, sequence, timeMs, receivedAtMs),
    ),
  );
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

function countLines({ selection, source, stepMs }: CountsJob): CountsReply {
  const matching = new MatchingLines(selection.query, selection.fromMs, selection.toMs);
  const buckets = new Map<number, [error: number, warning: number, other: number]>();
  const outcome = forEachBlock(source, (lines) =>
    matching.forEach(lines, (line, bytes, _sequence, timeMs) => {
      const start = Math.floor(timeMs / stepMs) * stepMs;
      let counts = buckets.get(start);
      if (!counts) {
        counts = [0, 0, 0];
        buckets.set(start, counts);
      }
      const level = lineLevel(line, bytes);
      counts[level === 'error' ? 0 : level === 'warn' ? 1 : 2]++;
    }),
  );
  const flat = new Float64Array(buckets.size * 4);
  let at = 0;
  for (const [start, counts] of buckets) {
    flat[at++] = start;
    for (const count of counts) flat[at++] = count;
  }
  return { buckets: flat, ...outcome };
}

function countValues({ selection, source, field }: ValuesJob): ValuesReply {
  const matching = new MatchingLines(selection.query, selection.fromMs, selection.toMs);
  const read = fieldReader(field);
  const values = new Map<string, number>();
  let missing = 0;
  let others = 0;
  const outcome = forEachBlock(source, (lines) =>
    matching.forEach(lines, (line, bytes) => {
      const value = read(line, bytes);
      if (value === undefined) missing++;
      else if (values.size < VALUES_MAX || values.has(value)) values.set(value, (values.get(value) ?? 0) + 1);
      else others++;
    }),
  );
  return { values, others, missing, ...outcome };
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
