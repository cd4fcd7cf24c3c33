/** In which messages of a part a text is, as their templates (template-builder.ts) and the values in columns tell. */
import { literalSource } from '../../../../src/logs/query/text-pattern.ts';
import { UNKNOWN } from './column-builder.ts';
import { LineBits } from './line-bits.ts';
import type { FieldColumn, LineTemplates, PartColumns } from './part-columns.ts';
import {
  NO_TEMPLATE,
  PIECE_LETTERS,
  pieceAt,
  SLOT,
  SLOT_FIELD,
  VARIABLE,
  WORD_LETTERS_MAX,
} from './template-builder.ts';

/** Of all lines of a part. What is certain is possible, too. */
export interface QueryBits {
  readonly certain: LineBits;
  readonly possible: LineBits;
}

/** Of one number of a column, or one template. */
export const NO = 0;
export const YES = 1;
export const MAYBE = 2;
export type Truth = typeof NO | typeof YES | typeof MAYBE;

const SLOT_TEXT = String.fromCharCode(SLOT);
const VARIABLE_PATTERN = `\\x0${VARIABLE}`;
/** Of a UUID's runs: they may have no digit. */
const UUID_RUN = /^(?:[0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{12})$/;

/** A run of letters and digits of the text. */
interface Run {
  readonly text: string;
  /** Has it something before it and behind it? Then it is a whole run in the message, too. */
  readonly isWhole: boolean;
  /** What has to be in a variable that has it; undefined: that isn't known. */
  readonly pieces: readonly number[] | undefined;
}

/** What is known of the lines of a template. */
interface TemplateTruth {
  readonly truth: Truth;
  /** For values of fields, by their place in the shape: the truth of each of their numbers, where it is more. */
  readonly byValue: readonly { readonly field: number; readonly truth: Uint8Array }[] | undefined;
}

/** A column that is looked at for each line of a shape. */
interface ShapeColumn {
  readonly field: number;
  readonly numbers: Buffer;
  /** By number: is the text in its value? */
  readonly hasText: Uint8Array | undefined;
}

/**
 * The lines in whose messages a text of ASCII is, in any case; undefined when the part has no templates.
 * @throws ColumnDamage
 */
export function linesWithText(
  columns: PartColumns,
  blocks: readonly { readonly from: number; readonly to: number }[],
  text: string,
): QueryBits | undefined {
  const { templates } = columns;
  return templates && new TextQuery(columns, templates, text.toLowerCase()).evaluate(blocks);
}

class TextQuery {
  private readonly columns: PartColumns;
  private readonly templates: LineTemplates;
  private readonly text: string;
  /** What isn't letters and digits, and runs, by turns. */
  private readonly apart: readonly string[];
  private readonly runs: readonly Run[];
  /** By template: the shape of its lines; -1 when they have several. */
  private readonly shapeOf: Int16Array;
  /** By column: which of its numbers' values have the text; undefined when none has. */
  private readonly withText = new Map<FieldColumn, Uint8Array | undefined>();
  private readonly columnsOf: readonly (readonly FieldColumn[])[];
  private readonly lowerValues = new Map<FieldColumn, readonly string[]>();
  private readonly shape: Buffer;

  constructor(columns: PartColumns, templates: LineTemplates, text: string) {
    this.columns = columns;
    this.templates = templates;
    this.text = text;
    this.apart = text.split(/([a-z0-9]+)/);
    const { apart } = this;
    this.runs = apart
      .filter((_, i) => i % 2 === 1)
      .map((run, i, all) => ({
        text: run,
        isWhole: (i > 0 || apart[0] !== '') && (i < all.length - 1 || apart[apart.length - 1] !== ''),
        pieces: piecesOf(run),
      }));
    this.shape = columns.column('shape');
    this.columnsOf = Array.from({ length: columns.shapes + 1 }, (_, i) =>
      i === UNKNOWN ? [] : columns.ofShape(i),
    );
    this.shapeOf = new Int16Array(templates.texts.length + 1);
    const seen = new Uint8Array(templates.texts.length + 1);
    for (let line = 0; line < columns.lines; line++) {
      const template = this.templateOf(line);
      if (seen[template] === 0) {
        seen[template] = 1;
        this.shapeOf[template] = this.shape[line];
      } else if (this.shapeOf[template] !== this.shape[line]) this.shapeOf[template] = -1;
    }
  }

  evaluate(blocks: readonly { readonly from: number; readonly to: number }[]): QueryBits {
    const { lines } = this.columns;
    const certain = new LineBits(lines);
    const possible = new LineBits(lines);
    const byRuns = new Map<string, readonly TemplateTruth[]>();
    const truths = blocks.map((_, i) => {
      const runs = this.runs.map((run) => mayBeInVariable(run, this.templates.pieces[i]));
      const key = runs.join();
      let known = byRuns.get(key);
      if (!known) {
        const pattern = this.patternWith(runs);
        known = this.templates.texts.map((template, k) => this.templateTruth(template, k + 1, pattern));
        byRuns.set(key, known);
      }
      return known;
    });
    const wanted = new Set<string>();
    for (const known of byRuns.values())
      for (const [i, { byValue }] of known.entries())
        for (const { field } of byValue ?? []) wanted.add(`${this.shapeOf[i + 1]} ${field}`);
    const byShape = this.shapeColumns(wanted);
    const next = new Map<Buffer, { at: number }>();
    const places = byShape.map((all) =>
      all.map((one) => {
        const place = next.get(one.numbers) ?? { at: 0 };
        next.set(one.numbers, place);
        return { ...one, place };
      }),
    );
    const numbers = new Uint8Array(256);
    for (const [i, { from, to }] of blocks.entries()) {
      const ofTemplates = truths[i];
      for (let line = from; line < to; line++) {
        const template = this.templateOf(line);
        const known = template === NO_TEMPLATE ? undefined : ofTemplates[template - 1];
        let truth: Truth = known ? known.truth : MAYBE;
        const all = places[this.shape[line]];
        for (let k = 0; k < all.length; k++) {
          const { place, hasText, field, numbers: column } = all[k];
          const number = column[place.at++];
          numbers[field] = number;
          if (hasText && hasText[number] === 1) truth = YES;
        }
        if (known?.byValue && truth !== YES)
          for (const { field, truth: byNumber } of known.byValue) {
            const more = byNumber[numbers[field]];
            if (more === YES || (more === MAYBE && truth === NO)) truth = more;
          }
        if (truth === NO) continue;
        possible.set(line);
        if (truth === YES) certain.set(line);
      }
    }
    return { certain, possible };
  }

  private templateOf(line: number): number {
    const { low, high } = this.templates;
    return low[line] | (high[line] << 8);
  }

  /** Columns of each shape that have to be looked at; of none for lines without a shape. */
  private shapeColumns(wanted: ReadonlySet<string>): ShapeColumn[][] {
    // A column that several shapes have goes on from line to line of all of them.
    const needed = new Set<FieldColumn>();
    for (const [shape, all] of this.columnsOf.entries())
      for (const [field, column] of all.entries())
        if (column.values && (this.valuesWithText(column) || wanted.has(`${shape} ${field}`)))
          needed.add(column);
    return this.columnsOf.map((all) =>
      all.flatMap((column, field) => {
        const numbers = needed.has(column) ? column.numbers : undefined;
        return numbers ? [{ field, numbers, hasText: this.valuesWithText(column) }] : [];
      }),
    );
  }

  /** By number: is the text in its value? Undefined when it is in none. */
  private valuesWithText(column: FieldColumn): Uint8Array | undefined {
    if (this.withText.has(column)) return this.withText.get(column);
    const found = new Uint8Array(256);
    let some = false;
    for (const [i, value] of this.valuesOf(column).entries()) {
      if (!value.includes(this.text)) continue;
      found[i + 1] = 1;
      some = true;
    }
    const result = some ? found : undefined;
    this.withText.set(column, result);
    return result;
  }

  private valuesOf(column: FieldColumn): readonly string[] {
    let values = this.lowerValues.get(column);
    if (!values) {
      values = (column.values ?? []).map((value) => value.toLowerCase());
      this.lowerValues.set(column, values);
    }
    return values;
  }

  /** What may be the text in a template, if variables may have these of its runs; undefined when it has to stand there as it is. */
  private patternWith(runs: readonly boolean[]): RegExp | undefined {
    if (!runs.includes(true)) return undefined;
    const source = this.apart.map((part, i) => {
      if (i % 2 === 0) return literalSource(part);
      return runs[(i - 1) / 2] ? `(?:${part}|${VARIABLE_PATTERN})` : part;
    });
    return new RegExp(source.join(''));
  }

  private templateTruth(template: string, number: number, pattern: RegExp | undefined): TemplateTruth {
    const { text } = this;
    const slots = template.toLowerCase().split(SLOT_TEXT);
    // What stands between values; behind the first one each begins with the value's place in the shape.
    const between = slots.map((part, i) => (i === 0 ? part : part.slice(1)));
    let truth: Truth = NO;
    for (const part of between) {
      if (part.includes(text)) return { truth: YES, byValue: undefined };
      if (pattern?.test(part)) truth = MAYBE;
    }
    if (slots.length === 1) return { truth, byValue: undefined };
    const shape = this.shapeOf[number];
    if (shape <= UNKNOWN) return { truth: MAYBE, byValue: undefined };
    const columns = this.columnsOf[shape];
    const byValue: { field: number; truth: Uint8Array }[] = [];
    for (let i = 1; i < slots.length; i++) {
      const field = slots[i].charCodeAt(0) - SLOT_FIELD;
      const before = between[i - 1];
      const behind = between[i];
      // Beyond what is between two values it may be in all three.
      if (i > 1 && this.goesThrough(before)) truth = MAYBE;
      if (!this.goesInto(before, behind)) continue;
      const ofNumbers = this.besideValues(before, columns[field], behind, pattern);
      if (ofNumbers) byValue.push({ field, truth: ofNumbers });
    }
    return { truth, byValue: byValue.length > 0 ? byValue : undefined };
  }

  /** May the text begin before what stands between two values, and end behind it? */
  private goesThrough(between: string): boolean {
    return between.split(String.fromCharCode(VARIABLE)).every((part) => this.text.includes(part));
  }

  /** May the text be in a value and in what stands beside it? */
  private goesInto(before: string, behind: string): boolean {
    const { text } = this;
    const last = before.charCodeAt(before.length - 1);
    const first = behind.charCodeAt(0);
    return (
      last === VARIABLE ||
      first === VARIABLE ||
      (before !== '' && text.includes(before[before.length - 1])) ||
      (behind !== '' && text.includes(behind[0]))
    );
  }

  /** By number, whether the text is in its value and in what stands beside it; undefined when it is in none. */
  private besideValues(
    before: string,
    column: FieldColumn,
    behind: string,
    pattern: RegExp | undefined,
  ): Uint8Array | undefined {
    const { text } = this;
    const truth = new Uint8Array(256);
    let some = false;
    const left = before.slice(-text.length * 2);
    const right = behind.slice(0, text.length * 2);
    for (const [i, value] of this.valuesOf(column).entries()) {
      const whole = left + value + right;
      if (whole.includes(text)) truth[i + 1] = YES;
      else if (pattern?.test(whole)) truth[i + 1] = MAYBE;
      else continue;
      some = true;
    }
    return some ? truth : undefined;
  }
}

/** Pieces of a run's letters; undefined when a variable may have it without any. */
function piecesOf(run: string): readonly number[] | undefined {
  if (/\d/.test(run) || run.length < PIECE_LETTERS) return undefined;
  const bytes = Buffer.from(run, 'latin1');
  return Array.from({ length: run.length - PIECE_LETTERS + 1 }, (_, at) => pieceAt(bytes, at));
}

function mayBeInVariable({ text, isWhole, pieces }: Run, known: Uint16Array | undefined): boolean {
  if (isWhole && !/\d/.test(text) && text.length <= WORD_LETTERS_MAX && !UUID_RUN.test(text)) return false;
  return !pieces || !known || pieces.every((piece) => isIn(known, piece));
}

/** Is a number among numbers that ascend? */
function isIn(numbers: Uint16Array, wanted: number): boolean {
  let from = 0;
  let to = numbers.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (numbers[middle] === wanted) return true;
    if (numbers[middle] < wanted) from = middle + 1;
    else to = middle;
  }
  return false;
}
