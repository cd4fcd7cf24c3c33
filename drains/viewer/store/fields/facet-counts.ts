/** How often fields that people group by have each of their values in a part: what is asked all the time, so that nothing has to be read for it. */
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import type { ColumnBuilder } from '../columns/column-builder.ts';
import { fieldReader, originReader, type ReadField } from './field-reader.ts';
import { mayHaveName } from './may-have-name.ts';

/** Fields of every line, and fields of messages. */
const LINE_FACETS = ['source', 'dyno', 'program', 'host'];
export const MESSAGE_FACETS: readonly string[] = ['status', 'method', 'code'];
/** A field with more values than these in a part isn't counted in it. */
const VALUES_MAX = 255;

/** By field, how often each value is there. Lines without the field aren't in it. */
export type FacetCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The name by which a field is counted; undefined when it isn't. */
export function facetName(field: string): string | undefined {
  const name = field.toLowerCase();
  if (name === 'severity') return 'level';
  if (name === 'sender') return 'host';
  return name === 'level' || LINE_FACETS.includes(name) || MESSAGE_FACETS.includes(name) ? name : undefined;
}

/** Values of lines that the columns don't know. */
interface ReadFacet {
  readonly name: string;
  readonly bytes: Buffer;
  readonly read: ReadField;
  readonly values: Map<string, number>;
}

/** Counts what columns don't know, and takes the rest from them. */
export class FacetCounter {
  private readonly columns: ColumnBuilder;
  private readonly facets: readonly ReadFacet[] = MESSAGE_FACETS.map((name) => ({
    name,
    bytes: Buffer.from(name),
    read: fieldReader(name),
    values: new Map(),
  }));

  constructor(columns: ColumnBuilder) {
    this.columns = columns;
  }

  /** Adds the line that the columns got last. */
  add(line: RecordCursor, bytes: Buffer): void {
    const { columns } = this;
    if (columns.isLastKnown) return;
    for (const { name, bytes: wanted, read, values } of this.facets) {
      if (columns.knows(name) || !mayHaveName(bytes, line.msgidStart, line.textEnd, wanted)) continue;
      const value = read(line, bytes);
      if (value !== undefined && values.size <= VALUES_MAX) values.set(value, (values.get(value) ?? 0) + 1);
    }
  }

  /** How many lines have each value, by facet; facets with more than {@link VALUES_MAX} values are left out. */
  counts(): FacetCounts {
    const { columns } = this;
    const all: Record<string, Readonly<Record<string, number>>> = {
      level: asRecord(columns.levelCounts()),
    };
    const origins = columns.originCounts();
    for (const name of origins ? LINE_FACETS : []) {
      const values = new Map<string, number>();
      for (const { header, lines } of origins ?? []) {
        const value = originReader(name)(header);
        values.set(value, (values.get(value) ?? 0) + lines);
      }
      all[name] = asRecord(values);
    }
    for (const { name, values } of this.facets) {
      const known = columns.valueCounts(name);
      if (!known) continue;
      const sum = new Map(values);
      // What stands for no value.
      for (const [value, lines] of known)
        if (lines > 0 && value !== 'null') sum.set(value, (sum.get(value) ?? 0) + lines);
      if (sum.size <= VALUES_MAX) all[name] = asRecord(sum);
    }
    return all;
  }
}

function asRecord(values: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...values].filter(([, lines]) => lines > 0));
}
