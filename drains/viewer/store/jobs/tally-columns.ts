/** Counts lines of a part by its columns, as far as these tell all that is asked; the others are left to be read. */
import { systemCode } from '../../../../src/common/errors.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import { LOG_LEVELS, type LogLevel } from '../../../../src/logs/syslog/level.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import { MINUTE_MS } from '../blocks/minute-counts.ts';
import { SAME_MINUTE } from '../columns/column-builder.ts';
import { type BlockLineRange, ColumnQuery, fieldOfLines } from '../columns/column-query.ts';
import { LineBits } from '../columns/line-bits.ts';
import { isColumnName } from '../columns/line-fields.ts';
import { ColumnDamage, type PartColumns } from '../columns/part-columns.ts';
import { originReader } from '../fields/field-reader.ts';
import { filterPlan } from '../filter/filter-plan.ts';
import { FilterDamage, type PartFilter } from '../filter/part-filter.ts';
import { PartDamageError } from '../parts/part-format.ts';
import type { CountsJob, ScanSelection, ScanSource, ValuesJob } from './job.ts';
import { PartReader } from './part-reader.ts';

export type FileSource = ScanSource & { readonly kind: 'file' };

/** A block of a job, and where its lines are in columns. */
interface TallyBlock extends BlockLineRange {
  readonly entry: BlockEntry;
}

/** Lines that are counted by their columns, and lines that have to be read. */
export interface ColumnTally {
  readonly blocks: readonly TallyBlock[];
  readonly counted: LineBits;
  readonly toRead: LineBits;
}

/** Adds lines to a bucket. */
type AddLines = (timeMs: number, level: LogLevel, lines: number) => void;

/** As {@link fieldOfLines}, also of what isn't a field of the message. */
interface NumberedValues {
  readonly numbers: Uint8Array | Uint16Array;
  readonly values: readonly (string | null | undefined)[];
}

/**
 * What columns tell for a count by time; calls `add` with the lines that they tell all of.
 * @returns undefined when there are no columns, or damaged ones: all lines have to be read then
 */
export function tallyCounts(job: CountsJob, source: FileSource, add?: AddLines): ColumnTally | undefined {
  return withColumns(source, job.selection, (columns, tally) => {
    const { stepMs, selection } = job;
    const level = columns.column('level');
    const minutes = stepMs % MINUTE_MS === 0 ? columns.column('minute') : undefined;
    for (const { entry, from, to } of tally.blocks) {
      const { minMs, maxMs } = entry;
      const isWithin = minMs >= selection.fromMs && maxMs < selection.toMs;
      const isOneStep = Math.floor(minMs / stepMs) === Math.floor(maxMs / stepMs);
      const starts = isWithin && !isOneStep && minutes ? minuteStarts(minutes, from, to, entry) : undefined;
      if (!isWithin || (!isOneStep && !starts)) {
        read(tally, from, to);
        continue;
      }
      if (!add) continue;
      const counts = new Uint32Array(LOG_LEVELS.length);
      let start = minMs;
      const flush = (): void => {
        for (const [i, name] of LOG_LEVELS.entries()) if (counts[i] > 0) add(start, name, counts[i]);
        counts.fill(0);
      };
      tally.counted.forEach(from, to, (line) => {
        if (starts && starts[line - from] !== start) {
          flush();
          start = starts[line - from];
        }
        counts[level[line]]++;
      });
      flush();
    }
  });
}

/** The same for the values of a field. */
export function tallyValues(
  job: ValuesJob,
  source: FileSource,
  add?: (value: string | undefined, lines: number) => void,
): ColumnTally | undefined {
  return withColumns(source, job.selection, (columns, tally) => {
    const { numbers, values } = numberedValues(columns, job.field);
    const counts = new Uint32Array(values.length);
    for (const { entry, from, to } of tally.blocks) {
      if (entry.minMs < job.selection.fromMs || entry.maxMs >= job.selection.toMs) {
        read(tally, from, to);
        continue;
      }
      tally.counted.forEach(from, to, (line) => {
        const number = numbers[line];
        if (values[number] === undefined) read(tally, line, line + 1);
        else counts[number]++;
      });
    }
    if (add)
      for (const [number, value] of values.entries())
        if (counts[number] > 0) add(value ?? undefined, counts[number]);
  });
}

/** Lines that would be counted have to be read. */
function read({ counted, toRead }: ColumnTally, from: number, to: number): void {
  for (let line = from; line < to; line++) {
    const at = line >>> 5;
    const bit = counted.words[at] & (1 << (line & 31));
    toRead.words[at] |= bit;
    counted.words[at] &= ~bit;
  }
}

function withColumns(
  { path, blocks }: FileSource,
  { query }: ScanSelection,
  use: (columns: PartColumns, tally: ColumnTally) => void,
): ColumnTally | undefined {
  let part: PartReader | undefined;
  try {
    part = new PartReader(path);
    const columns = part.columns();
    if (!columns) return undefined;
    const all = lineRanges(part.blocks());
    if (all.at(-1)?.to !== columns.lines) throw new ColumnDamage('the columns are of other lines');
    const wanted = new Set(blocks.map(({ offset }) => offset));
    const filter = part.filter();
    const bits = query
      ? new ColumnQuery(columns, all, (node) => filteredBlocks(filter, node)).evaluate(query)
      : { certain: LineBits.all(columns.lines), possible: LineBits.all(columns.lines) };
    const tally: ColumnTally = {
      blocks: all.filter(({ entry }) => wanted.has(entry.offset)),
      counted: bits.certain,
      toRead: bits.certain.not().and(bits.possible),
    };
    use(columns, tally);
    return tally;
  } catch (error) {
    const isDamage =
      error instanceof FilterDamage || error instanceof PartDamageError || error instanceof ColumnDamage;
    if (!isDamage && systemCode(error) === undefined) throw error;
    return undefined;
  } finally {
    part?.close();
  }
}

function filteredBlocks(filter: PartFilter | undefined, node: QueryNode): Uint8Array | undefined {
  const plan = filter && filterPlan(node);
  return plan && filter.evaluate(plan);
}

function lineRanges(blocks: readonly BlockEntry[]): TallyBlock[] {
  let to = 0;
  return blocks.map((entry) => {
    const from = to;
    to += entry.count;
    return { entry, from, to };
  });
}

/** When the minute of each line of a block begins; undefined when that isn't known. */
function minuteStarts(
  minutes: Uint8Array,
  from: number,
  to: number,
  { minMs }: BlockEntry,
): Float64Array | undefined {
  const starts = new Float64Array(to - from);
  let minute = 0;
  let least = 0;
  for (let i = from; i < to; i++) {
    if (minutes[i] === 0) return undefined;
    minute += minutes[i] - SAME_MINUTE;
    starts[i - from] = minute;
    if (i === from || minute < least) least = minute;
  }
  // They are counted from that of the block's first line.
  const first = Math.floor(minMs / MINUTE_MS) - least;
  for (let i = 0; i < starts.length; i++) starts[i] = (starts[i] + first) * MINUTE_MS;
  return starts;
}

function numberedValues(columns: PartColumns, field: string): NumberedValues {
  const name = field.toLowerCase();
  switch (name) {
    case 'level':
    case 'severity':
      return { numbers: columns.column('level'), values: [...LOG_LEVELS] };
    case 'source':
    case 'dyno':
    case 'program':
    case 'host':
    case 'sender': {
      const read = originReader(name);
      return {
        numbers: columns.column('origin'),
        values: [undefined, ...columns.origins.map(({ header }) => read(header))],
      };
    }
  }
  if (name === 'message' || name === 'facility' || !isColumnName(name))
    return { numbers: new Uint8Array(columns.lines), values: [undefined] };
  const { numbers, values } = fieldOfLines(columns, name);
  return { numbers, values: values.map((value) => (value === 'null' ? null : value)) };
}
