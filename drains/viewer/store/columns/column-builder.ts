/**
 * What queries and groups ask of lines, by line, for all lines of a part: who wrote them, how serious they are, in which minute, and their fields. It is
 * made while lines are packed, and read instead of them.
 *
 * A line's *shape* is which fields it has. Each field of a shape has a column of its own, with a value for each line of the shape: in the lines of a
 * router a field may be a number, and in those of an app one of few names. Lines that have to be read themselves are of shape {@link UNKNOWN}, and
 * so are values that aren't known.
 */
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { LOG_LEVELS, type LogLevel } from '../../../../src/logs/syslog/level.ts';
import { linePriority } from '../../../../src/logs/syslog/record.ts';
import { MINUTE_MS } from '../blocks/minute-counts.ts';
import { ByteColumn } from './byte-column.ts';
import { isColumnName, LineFields, SMALL_LETTERS } from './line-fields.ts';
import { type BuiltTemplates, TemplateBuilder, type ValueSlots } from './template-builder.ts';
import { ValueTable } from './value-table.ts';

/** A shape, value or origin that isn't known. */
export const UNKNOWN = 0;
/** Numbers of one byte. */
const NUMBERS_MAX = 255;
const FIELDS_MAX = 250;
/** Shapes with columns of their own; the fields of all others share one each. */
const OWN_COLUMNS_SHAPES_MAX = 24;
/** What a name may have instead of a field's number, and a value instead of its own: its lines have to be read, or it isn't looked for here. */
const TOO_MANY = -1;
const NO_COLUMN = -2;
const ORIGIN_BYTES_MAX = 255;
/** Of a minute less the one of the line before; 0 when it isn't known. */
export const SAME_MINUTE = 128;
const DASH = 0x2d;
const SPACE = 0x20;

/** Of a part, before it is encoded. */
export interface BuiltColumns {
  /** Names of fields, in small letters. */
  readonly fields: readonly string[];
  /** Of each shape from 1 on, the numbers of its fields, and of the columns of these. */
  readonly shapes: readonly { readonly fields: readonly number[]; readonly columns: readonly number[] }[];
  readonly columns: readonly {
    /** Of each number from 1 on; undefined when there are too many. */
    readonly values: readonly string[] | undefined;
    /** When there are too many: all characters that are in them, in small letters; undefined when that isn't known. */
    readonly characters: string | undefined;
    readonly numbers: Buffer;
  }[];
  /** Of each number from 1 on: PRIVAL, then the header from HOST up to MSGID. */
  readonly origins: readonly { readonly priority: number; readonly header: string }[];
  /** Of each line. */
  readonly shape: Buffer;
  readonly origin: Buffer;
  readonly level: Buffer;
  readonly minute: Buffer;
  /** Of each block, `LineFields.colons`. */
  readonly colons: readonly Buffer[];
  /** Undefined when they tell too little. */
  readonly templates: BuiltTemplates | undefined;
}

interface Field {
  readonly name: string;
  readonly isFacet: boolean;
  /** Of shapes that have none of their own. */
  shared: ValueColumn | undefined;
  readonly columns: ValueColumn[];
  /** The last line that has it, and its number there. */
  lastLine: number;
  lastNumber: number;
}

interface ValueColumn {
  readonly index: number;
  readonly numbers: ByteColumn;
  /** Entries of the table of values, by number less one. */
  readonly entries: number[];
  isTooMany: boolean;
  /** A 1 for each that is in one of too many values; undefined when one of them isn't known. */
  characters: Uint8Array | undefined;
}

interface Shape {
  readonly fields: readonly number[];
  readonly columns: readonly ValueColumn[];
}

export class ColumnBuilder {
  private readonly found = new LineFields();
  private readonly names = new ValueTable();
  private readonly values = new ValueTable();
  /** By entry of `names`: its field's number, {@link TOO_MANY} or {@link NO_COLUMN}. */
  private readonly byName: number[] = [];
  private readonly fields: Field[] = [];
  private readonly columns: ValueColumn[] = [];
  /** By entry of `values`: its number within its column. */
  private readonly numbers: number[] = [];
  private readonly shapes: Shape[] = [];
  /** By a hash of their fields. */
  private readonly shapeNumbers = new Map<number, number>();
  private readonly origins: { readonly priority: number; readonly header: string }[] = [];
  private readonly originNumbers: Map<number, number>[] = [];
  private readonly originTable = new ValueTable();
  private readonly shape = new ByteColumn();
  private readonly origin = new ByteColumn();
  private readonly level = new ByteColumn();
  private readonly minute = new ByteColumn();
  private readonly colons: Buffer[] = [];
  private readonly templates = new TemplateBuilder();
  /** Of one line: values that its columns have. */
  private readonly slots: ValueSlots = {
    starts: new Int32Array(FIELDS_MAX),
    ends: new Int32Array(FIELDS_MAX),
    fields: new Int32Array(FIELDS_MAX),
    count: 0,
  };
  /** Of one line: its fields, and where they are among those that were found. */
  private readonly lineFields = new Int32Array(FIELDS_MAX);
  private readonly lineFound = new Int32Array(FIELDS_MAX);
  private readonly facets: readonly string[];
  private lastMinute = Number.NaN;
  private line = 0;
  /** Are all facets known of the line that was added last? */
  isLastKnown = true;

  /** @param facets names of fields of which more is asked: {@link knows} */
  constructor(facets: readonly string[] = []) {
    this.facets = facets;
  }

  /** @param isEscaped is there an escape character in it? */
  add(line: RecordCursor, bytes: Buffer, level: LogLevel, timeMs: number, isEscaped: boolean): void {
    this.line++;
    this.level.push(LOG_LEVELS.indexOf(level));
    this.addMinute(Math.floor(timeMs / MINUTE_MS));
    this.addOrigin(line, bytes);
    const { messageStart, textEnd } = line;
    // Without structured data, whose fields come first.
    const isPlain = bytes[messageStart - 2] === DASH && bytes[messageStart - 3] === SPACE;
    const isKnown = this.found.read(bytes, messageStart, textEnd);
    this.isLastKnown = true;
    this.slots.count = 0;
    if (!isKnown || !isPlain || isEscaped || !this.addFields(bytes)) {
      this.shape.push(UNKNOWN);
      this.isLastKnown = false;
    }
    if (!isPlain || isEscaped) this.templates.addUnknown();
    else this.templates.add(bytes, messageStart, textEnd, this.slots);
  }

  /** The lines of a block are complete. */
  endBlock(): void {
    this.colons.push(Buffer.from(this.found.colons));
    this.found.colons.fill(0);
    this.templates.endBlock();
    this.lastMinute = Number.NaN;
  }

  private fieldNamed(name: string): Field | undefined {
    return this.fields.find((field) => field.name === name);
  }

  /** Is the value of one of the facets known of the line that was added last: also that it has none? */
  knows(name: string): boolean {
    if (this.isLastKnown) return true;
    if (this.shape.last === UNKNOWN) return false;
    const field = this.fieldNamed(name);
    return field?.lastLine !== this.line || field.lastNumber !== UNKNOWN;
  }

  /** In how many lines a field has each of its values, as far as they are known; undefined when there are too many. */
  valueCounts(name: string): ReadonlyMap<string, number> | undefined {
    const sum = new Map<string, number>();
    for (const { isTooMany, numbers, entries } of this.fieldNamed(name)?.columns ?? []) {
      if (isTooMany) return undefined;
      const counts = countBytes(numbers.bytes);
      for (const [i, entry] of entries.entries()) {
        const value = this.values.text(entry);
        sum.set(value, (sum.get(value) ?? 0) + counts[i + 1]);
      }
    }
    return sum;
  }

  /** In how many lines each origin is, by its number less one; undefined when there are others. */
  originCounts(): readonly { readonly header: string; readonly lines: number }[] | undefined {
    const counts = countBytes(this.origin.bytes);
    if (counts[UNKNOWN] > 0) return undefined;
    return this.origins.map(({ header }, i) => ({ header, lines: counts[i + 1] }));
  }

  /** How many lines have each level. */
  levelCounts(): ReadonlyMap<LogLevel, number> {
    const counts = countBytes(this.level.bytes);
    return new Map(LOG_LEVELS.map((level, i) => [level, counts[i]]));
  }

  /** The columns of all lines. Nothing may be added afterwards: some of it is memory of the builder's. */
  finish(): BuiltColumns {
    return {
      fields: this.fields.map(({ name }) => name),
      shapes: this.shapes.map(({ fields, columns }) => ({
        fields,
        columns: columns.map(({ index }) => index),
      })),
      columns: this.columns.map(({ numbers, entries, isTooMany, characters }) => ({
        values: isTooMany ? undefined : entries.map((entry) => this.values.text(entry)),
        characters:
          characters &&
          String.fromCharCode(...[...characters.keys()].filter((code) => characters[code] === 1)),
        numbers: isTooMany ? Buffer.alloc(0) : numbers.bytes,
      })),
      origins: this.origins,
      shape: this.shape.bytes,
      origin: this.origin.bytes,
      level: this.level.bytes,
      minute: this.minute.bytes,
      colons: this.colons,
      templates: this.templates.finish(),
    };
  }

  private addMinute(minute: number): void {
    const difference = Number.isNaN(this.lastMinute) ? 0 : minute - this.lastMinute;
    this.minute.push(Math.abs(difference) < SAME_MINUTE ? SAME_MINUTE + difference : 0);
    this.lastMinute = minute;
  }

  private addOrigin(line: RecordCursor, bytes: Buffer): void {
    const { hostStart, msgidStart } = line;
    if (msgidStart - hostStart > ORIGIN_BYTES_MAX) {
      this.origin.push(UNKNOWN);
      return;
    }
    const priority = linePriority(line, bytes);
    const entry = this.originTable.find(
      0,
      bytes,
      hostStart,
      msgidStart,
      false,
      this.origins.length < NUMBERS_MAX,
    );
    if (entry === -1) {
      this.origin.push(UNKNOWN);
      return;
    }
    let numbers = this.originNumbers[entry];
    if (!numbers) {
      numbers = new Map();
      this.originNumbers[entry] = numbers;
    }
    let number = numbers.get(priority);
    if (number === undefined && this.origins.length < NUMBERS_MAX) {
      number = this.origins.push({ priority, header: bytes.toString('latin1', hostStart, msgidStart) });
      numbers.set(priority, number);
    }
    this.origin.push(number ?? UNKNOWN);
  }

  /** False when its fields can't be told; then nothing was added. */
  private addFields(bytes: Buffer): boolean {
    const { found, lineFields, lineFound, fields, slots } = this;
    let count = 0;
    let hash = 0;
    for (let i = 0; i < found.count; i++) {
      const field = this.fieldOf(bytes, found.nameStart[i], found.nameEnd[i]);
      if (field === TOO_MANY) return false;
      if (field === NO_COLUMN) continue;
      if (fields[field].lastLine === this.line) return false;
      fields[field].lastLine = this.line;
      lineFields[count] = field;
      lineFound[count++] = i;
      hash = Math.imul(hash ^ (field + 1), 0x01000193) ^ (hash >>> 15);
    }
    const shape = this.shapeOf(hash, count);
    if (shape === UNKNOWN) return false;
    this.shape.push(shape);
    const { columns } = this.shapes[shape - 1];
    for (let i = 0; i < count; i++) {
      const at = lineFound[i];
      const number = this.numberOf(columns[i], bytes, found.valueStart[at], found.valueEnd[at]);
      if (number !== UNKNOWN) {
        slots.starts[slots.count] = found.valueStart[at];
        slots.ends[slots.count] = found.valueEnd[at];
        slots.fields[slots.count++] = i;
      }
      const field = fields[lineFields[i]];
      if (!field.isFacet) continue;
      field.lastNumber = number;
      if (number === UNKNOWN) this.isLastKnown = false;
    }
    return true;
  }

  /** The number of the shape with the first `count` of {@link lineFields}. */
  private shapeOf(hash: number, count: number): number {
    const { lineFields, shapes } = this;
    const number = this.shapeNumbers.get(hash);
    if (number === undefined) {
      if (shapes.length >= NUMBERS_MAX) return UNKNOWN;
      const fields = Array.from(lineFields.subarray(0, count));
      const added = shapes.push({
        fields,
        columns: fields.map((field) => this.columnOf(this.fields[field])),
      });
      this.shapeNumbers.set(hash, added);
      return added;
    }
    const { fields } = shapes[number - 1];
    if (fields.length !== count) return UNKNOWN;
    for (let i = 0; i < count; i++) if (fields[i] !== lineFields[i]) return UNKNOWN;
    return number;
  }

  /** The column of a field for a shape that is new. */
  private columnOf(field: Field): ValueColumn {
    const isOwn = this.shapes.length < OWN_COLUMNS_SHAPES_MAX;
    if (!isOwn && field.shared) return field.shared;
    const column: ValueColumn = {
      index: this.columns.length,
      numbers: new ByteColumn(),
      entries: [],
      isTooMany: false,
      characters: undefined,
    };
    this.columns.push(column);
    field.columns.push(column);
    if (!isOwn) field.shared = column;
    return column;
  }

  private fieldOf(bytes: Buffer, start: number, end: number): number {
    if (end - start > NUMBERS_MAX) return NO_COLUMN;
    const entry = this.names.find(0, bytes, start, end, true, this.names.size < FIELDS_MAX * 2);
    if (entry === -1) return TOO_MANY;
    if (entry < this.byName.length) return this.byName[entry];
    const name = this.names.text(entry);
    let field = isColumnName(name) ? TOO_MANY : NO_COLUMN;
    if (field === TOO_MANY && this.fields.length < FIELDS_MAX)
      field =
        this.fields.push({
          name,
          isFacet: this.facets.includes(name),
          shared: undefined,
          columns: [],
          lastLine: 0,
          lastNumber: UNKNOWN,
        }) - 1;
    this.byName.push(field);
    return field;
  }

  /** Adds a value to its column, and returns its number there. */
  private numberOf(column: ValueColumn, bytes: Buffer, start: number, end: number): number {
    if (!column.isTooMany) {
      const number = start === -1 ? UNKNOWN : this.valueNumber(column, bytes, start, end);
      if (number !== TOO_MANY) {
        column.numbers.push(number);
        return number;
      }
      this.takeTooMany(column);
    }
    const { characters } = column;
    if (start === -1) column.characters = undefined;
    else if (characters) for (let i = start; i < end; i++) characters[SMALL_LETTERS[bytes[i]]] = 1;
    return UNKNOWN;
  }

  /** Most lines have another value: an id, or a number. */
  private takeTooMany(column: ValueColumn): void {
    column.isTooMany = true;
    this.returnValues(column);
    if (column.numbers.bytes.includes(UNKNOWN)) return;
    column.characters = new Uint8Array(256);
    for (const entry of column.entries)
      for (const code of Buffer.from(this.values.text(entry), 'latin1'))
        column.characters[SMALL_LETTERS[code]] = 1;
  }

  /** The lines before have their values in their templates, as those behind have. */
  private returnValues(column: ValueColumn): void {
    const { templates } = this;
    const fieldOf = [-1, ...this.shapes.map(({ columns }) => columns.indexOf(column))];
    const values = column.entries.map((entry) => Buffer.from(this.values.text(entry), 'latin1'));
    // By template and value.
    const replaced = new Map<number, number>();
    const shape = this.shape.bytes;
    const numbers = column.numbers.bytes;
    const lines = this.line - 1;
    for (let line = 0, next = 0; line < lines; line++) {
      const field = fieldOf[shape[line]];
      if (field === -1) continue;
      const number = numbers[next++];
      if (number === UNKNOWN) continue;
      const before = templates.at(line);
      const key = (before * (NUMBERS_MAX + 1) + number) * FIELDS_MAX + field;
      let template = replaced.get(key);
      if (template === undefined) {
        template = templates.withValue(before, field, values[number - 1]);
        replaced.set(key, template);
      }
      if (template !== before) templates.set(line, template);
    }
  }

  private valueNumber(column: ValueColumn, bytes: Buffer, start: number, end: number): number {
    const mayAdd = column.entries.length < NUMBERS_MAX;
    const entry = this.values.find(column.index, bytes, start, end, false, mayAdd);
    if (entry === -1) return TOO_MANY;
    if (entry < this.numbers.length) return this.numbers[entry];
    const number = column.entries.push(entry);
    this.numbers.push(number);
    return number;
  }
}

/** How often each byte is there. */
function countBytes(bytes: Uint8Array): Uint32Array {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]++;
  return counts;
}
