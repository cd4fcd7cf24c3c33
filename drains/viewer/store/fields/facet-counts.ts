/** How often fields that people group by have each of their values: counted when lines are packed, so that nothing has to be unpacked for it. */
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import type { LogLevel } from '../../../../src/logs/syslog/level.ts';
import { fieldReader, type ReadField } from './field-reader.ts';
import { QuickField } from './quick-field.ts';

/** Fields of every line, and fields of messages. */
const LINE_FACETS = ['source', 'dyno', 'program', 'host'];
const MESSAGE_FACETS = ['status', 'method', 'code'];
/** A field with more values than these in a block isn't counted in it. */
const VALUES_MAX = 100;

const ORIGINS_MAX = 1_000;
const DASH = 0x2d;
const SPACE = 0x20;

/** By field, how often each value is there. Lines without the field aren't in it. */
export type FacetCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The values of one field. */
class Facet {
  readonly name: string;
  values = new Map<string, number>();
  isTooMany = false;

  constructor(name: string) {
    this.name = name;
  }

  count(value: string | undefined, times = 1): void {
    if (value === undefined || this.isTooMany) return;
    const { values } = this;
    const known = values.get(value);
    if (known === undefined && values.size >= VALUES_MAX) this.isTooMany = true;
    else values.set(value, (known ?? 0) + times);
  }
}

/** A field that messages have, or not. */
class MessageFacet extends Facet {
  private readonly bytes: Buffer;
  private readonly quick: QuickField;
  private readonly read: ReadField;

  constructor(name: string) {
    super(name);
    this.bytes = Buffer.from(name);
    this.quick = new QuickField(name);
    this.read = fieldReader(name);
  }

  add(line: RecordCursor, bytes: Buffer): void {
    const { quick } = this;
    const { messageStart, textEnd } = line;
    // Without structured data, which come first.
    const isPlain = bytes[messageStart - 2] === DASH && bytes[messageStart - 3] === SPACE;
    if (!mayHave(bytes, isPlain ? messageStart : line.msgidStart, textEnd, this.bytes)) return;
    if (isPlain && quick.find(bytes, messageStart, textEnd))
      this.count(bytes.toString('latin1', quick.start, quick.end));
    else this.count(this.read(line, bytes));
  }
}

/** The name by which a field is counted; undefined when it isn't. */
export function facetName(field: string): string | undefined {
  const name = field.toLowerCase();
  if (name === 'severity') return 'level';
  if (name === 'sender') return 'host';
  return name === 'level' || LINE_FACETS.includes(name) || MESSAGE_FACETS.includes(name) ? name : undefined;
}

export class FacetCounter {
  private readonly lineFacets = LINE_FACETS.map((name) => ({
    facet: new Facet(name),
    read: fieldReader(name),
  }));
  private readonly messageFacets = MESSAGE_FACETS.map((name) => new MessageFacet(name));
  private readonly level = new Facet('level');
  /** Lines with the same host, source and dyno, by these. */
  private readonly origins = new Map<
    string,
    { readonly values: readonly (string | undefined)[]; lines: number }
  >();
  private isTooMany = false;

  add(line: RecordCursor, bytes: Buffer, level: LogLevel): void {
    this.level.count(level);
    this.addOrigin(line, bytes);
    for (const one of this.messageFacets) one.add(line, bytes);
  }

  /** What was counted; the counter is empty then. */
  take(): FacetCounts {
    for (const { values, lines } of this.origins.values())
      for (const [i, { facet }] of this.lineFacets.entries()) facet.count(values[i], lines);
    const facets = [this.level, ...this.messageFacets, ...this.lineFacets.map(({ facet }) => facet)];
    for (const { facet } of this.lineFacets) facet.isTooMany ||= this.isTooMany;
    const counts: Record<string, Record<string, number>> = {};
    for (const one of facets) {
      if (!one.isTooMany) counts[one.name] = Object.fromEntries(one.values);
      one.values = new Map();
      one.isTooMany = false;
    }
    this.origins.clear();
    this.isTooMany = false;
    return counts;
  }

  private addOrigin(line: RecordCursor, bytes: Buffer): void {
    if (this.isTooMany) return;
    const key = bytes.toString('latin1', line.hostStart, line.msgidStart);
    const known = this.origins.get(key);
    if (known) known.lines++;
    else if (this.origins.size >= ORIGINS_MAX) this.isTooMany = true;
    else this.origins.set(key, { values: this.lineFacets.map(({ read }) => read(line, bytes)), lines: 1 });
  }
}

/** Is a name in `bytes[start, end)`, in any case? */
function mayHave(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  const { length } = name;
  const first = name[0];
  const last = end - length;
  for (let i = start; i <= last; i++) {
    if ((bytes[i] | 0x20) !== first) continue;
    let k = 1;
    while (k < length && (bytes[i + k] | 0x20) === name[k]) k++;
    if (k === length) return true;
  }
  return false;
}

/** Of several, together; a field that isn't counted in one of them isn't counted. */
export function sumOfFacets(all: readonly FacetCounts[]): FacetCounts {
  const sum: Record<string, Record<string, number>> = {};
  for (const name of Object.keys(all[0] ?? {})) {
    if (all.some((one) => one[name] === undefined)) continue;
    const values: Map<string, number> = new Map();
    for (const one of all)
      for (const [value, times] of Object.entries(one[name]))
        values.set(value, (values.get(value) ?? 0) + times);
    sum[name] = Object.fromEntries(values);
  }
  return sum;
}
