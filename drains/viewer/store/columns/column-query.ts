/** What columns tell of a query: which lines match for certain, and which may. */
import { FieldPath } from '../../../../src/logs/query/field-scanner.ts';
import { fieldValueTest, QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import {
  type AttributeValue,
  isLineAttribute,
  type QueryNode,
} from '../../../../src/logs/query/query-syntax.ts';
import { isAscii } from '../../../../src/logs/query/text-pattern.ts';
import { isPlainNumber } from '../../../../src/logs/query/value-tests.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { LOG_LEVELS } from '../../../../src/logs/syslog/level.ts';
import { UNKNOWN } from './column-builder.ts';
import { LineBits } from './line-bits.ts';
import { colonRow, isColumnName } from './line-fields.ts';
import type { FieldColumn, PartColumns } from './part-columns.ts';
import { levelSample, sampleRecord } from './sample-record.ts';
import { linesWithText, MAYBE, NO, type QueryBits, type Truth, YES } from './text-query.ts';

/** Lines of a part by block. */
export interface BlockLineRange {
  readonly from: number;
  readonly to: number;
}

/** Which blocks may have a line for a node, as the part's filter says: a bit each; undefined when it says nothing. */
export type BlocksFor = (node: QueryNode) => Uint8Array | undefined;

/** Answers for one part. What it says is certain is also possible; lines that are possible alone have to be read. */
export class ColumnQuery {
  private readonly columns: PartColumns;
  private readonly blocks: readonly BlockLineRange[];
  private readonly blocksFor: BlocksFor;

  /** @param blocks the lines of each block of the part */
  constructor(columns: PartColumns, blocks: readonly BlockLineRange[], blocksFor: BlocksFor) {
    this.columns = columns;
    this.blocks = blocks;
    this.blocksFor = blocksFor;
  }

  /** @throws ColumnDamage */
  evaluate(node: QueryNode): QueryBits {
    switch (node.kind) {
      case 'and':
      case 'or': {
        const [first, ...others] = node.children.map((child) => this.evaluate(child));
        for (const { certain, possible } of others) {
          if (node.kind === 'and') {
            first.certain.and(certain);
            first.possible.and(possible);
          } else {
            first.certain.or(certain);
            first.possible.or(possible);
          }
        }
        return first;
      }
      case 'not': {
        const { certain, possible } = this.evaluate(node.child);
        return { certain: possible.not(), possible: certain.not() };
      }
      case 'text':
        return this.text(node);
      case 'regex':
        return this.unknown(node);
      case 'attribute':
        return isLineAttribute(node.name)
          ? this.lineAttribute(node, node.name)
          : this.field(node, node.name, node.value);
    }
  }

  /** Lines of blocks that may have one. */
  private unknown(node: QueryNode): QueryBits {
    return { certain: new LineBits(this.columns.lines), possible: this.mayBeIn(node) };
  }

  private mayBeIn(node: QueryNode): LineBits {
    const { lines } = this.columns;
    const bits = this.blocksFor(node);
    if (!bits) return LineBits.all(lines);
    const possible = new LineBits(lines);
    for (const [i, { from, to }] of this.blocks.entries())
      if ((bits[i >> 3] >> (i & 7)) & 1) possible.fill(from, to);
    return possible;
  }

  /** It is in the origin, or in the message. */
  private text(node: QueryNode & { readonly kind: 'text' }): QueryBits {
    const ofOrigin = this.byOrigin(node);
    const ofMessage = this.messageText(node, node.text);
    return {
      certain: ofMessage.certain.or(ofOrigin.certain),
      // Of origins that aren't known the filter excludes some.
      possible: ofMessage.possible.or(ofOrigin.possible.and(this.mayBeIn(node).or(ofOrigin.certain))),
    };
  }

  /** Lines with a text in their messages. */
  private messageText(node: QueryNode, text: string): QueryBits {
    const bits = this.unknown(node);
    if (!isAscii(text) || !bits.possible.some(0, this.columns.lines)) return bits;
    const found = linesWithText(this.columns, this.blocks, text);
    if (!found) return bits;
    return { certain: found.certain, possible: found.possible.and(bits.possible.or(found.certain)) };
  }

  private lineAttribute(node: QueryNode & { readonly kind: 'attribute' }, name: string): QueryBits {
    switch (name) {
      case 'message':
        return node.value.kind === 'text' ? this.messageText(node, node.value.text) : this.unknown(node);
      case 'severity':
      case 'level':
        return this.byLevel(node);
      case 'host': {
        // Of the header, or of the message.
        const ofHeader = this.byOrigin({ ...node, name: 'sender' });
        const ofMessage = this.field(node, name, node.value);
        return {
          certain: ofHeader.certain.or(ofMessage.certain),
          possible: ofHeader.possible.or(ofMessage.possible),
        };
      }
      default:
        return this.byOrigin(node);
    }
  }

  /** For what is the same of all lines of an origin. */
  private byOrigin(node: QueryNode): QueryBits {
    const truth: Truth[] = [
      MAYBE,
      ...this.columns.origins.map((origin) => matches(node, sampleRecord(origin))),
    ];
    return this.byTruth(this.columns.column('origin'), truth);
  }

  private byLevel(node: QueryNode): QueryBits {
    const { columns } = this;
    const origin = columns.column('origin');
    const level = columns.column('level');
    const levels = LOG_LEVELS.length;
    const truth: Truth[] = new Array(levels).fill(MAYBE);
    for (const one of columns.origins)
      for (const name of LOG_LEVELS) truth.push(matches(node, sampleRecord(one, levelSample(name))));
    const both = new Uint16Array(columns.lines);
    for (let i = 0; i < both.length; i++) both[i] = origin[i] * levels + level[i];
    return this.byTruth(both, truth);
  }

  private byTruth(numbers: Uint8Array | Uint16Array, truth: readonly Truth[]): QueryBits {
    const { lines } = this.columns;
    const certain = new LineBits(lines);
    const possible = new LineBits(lines);
    const isCertain = Uint8Array.from(truth, (one) => (one === YES ? 1 : 0));
    const isPossible = Uint8Array.from(truth, (one) => (one === NO ? 0 : 1));
    for (let at = 0, word = 0; at < lines; at += 32, word++) {
      const end = Math.min(32, lines - at);
      let sure = 0;
      let may = 0;
      for (let k = 0; k < end; k++) {
        const number = numbers[at + k];
        sure |= isCertain[number] << k;
        may |= isPossible[number] << k;
      }
      certain.words[word] = sure;
      possible.words[word] = may;
    }
    return { certain, possible };
  }

  private field(node: QueryNode, name: string, value: AttributeValue): QueryBits {
    const { path } = new FieldPath(name);
    if (!isColumnName(path)) return this.unknown(node);
    const test = fieldValueTest(name, value);
    const { numbers, values } = fieldOfLines(this.columns, path, charactersOf(value));
    const truth = values.map(
      (one): Truth => (one === undefined ? MAYBE : one !== null && test(one) ? YES : NO),
    );
    const bits = this.byTruth(numbers, truth);
    const asText = value.kind === 'text' ? value.text : value.kind === 'glob' ? value.pattern : '';
    if (asText !== '') this.addTexts(bits, name, asText);
    // Of those that have to be read, the filter excludes some.
    if (bits.possible.count() > bits.certain.count()) bits.possible.and(this.mayBeIn(node).or(bits.certain));
    return bits;
  }

  /** `name:value` is found as a text, too. */
  private addTexts({ certain, possible }: QueryBits, name: string, value: string): void {
    const row = isColumnName(name) ? colonRow(name) : undefined;
    const colons = row === undefined ? undefined : this.columns.colons;
    const bytes = colons ? colons.length / this.blocks.length : 0;
    const blocks = this.blocks.filter(
      (_, i) => row === undefined || !colons || (colons[i * bytes + (row >>> 3)] >> (row & 7)) & 1,
    );
    if (blocks.length === 0) return;
    const text = `${name}:${value}`;
    const found = isAscii(text) ? linesWithText(this.columns, this.blocks, text) : undefined;
    if (found) {
      certain.or(found.certain);
      possible.or(found.possible);
    } else for (const { from, to } of blocks) possible.fill(from, to);
  }
}

/** A field of all lines of a part: a number each, of a value; `null` when the line hasn't the field, undefined when it has to be read. */
export interface FieldOfLines {
  readonly numbers: Uint16Array;
  readonly values: readonly (string | null | undefined)[];
}

/**
 * @param characters of what is looked for: values without one of them are as none
 * @throws ColumnDamage
 */
export function fieldOfLines(columns: PartColumns, name: string, characters = ''): FieldOfLines {
  const values: (string | null | undefined)[] = [undefined, null];
  const numbers = new Uint16Array(columns.lines);
  const ofShapes = columns.field(name);
  const places = new Map<FieldColumn, { readonly numbers: Buffer; readonly base: number; next: number }>();
  for (const column of ofShapes) {
    if (!column?.numbers || !column.values || places.has(column)) continue;
    // Their own numbers begin with 1.
    places.set(column, { numbers: column.numbers, base: values.length - 1, next: 0 });
    values.push(...column.values);
  }
  const byShape = ofShapes.map((column) => column && places.get(column));
  const mayHave = ({ characters: known }: FieldColumn): boolean =>
    known === undefined || [...characters].every((one) => known.includes(one));
  const otherwise = Uint16Array.from([0, ...ofShapes.map((column) => (column && mayHave(column) ? 0 : 1))]);
  const shape = columns.column('shape');
  for (let i = 0; i < numbers.length; i++) {
    const place = byShape[shape[i] - 1];
    if (!place) numbers[i] = otherwise[shape[i]];
    else {
      const number = place.numbers[place.next++];
      numbers[i] = number === UNKNOWN ? 0 : place.base + number;
    }
  }
  return { numbers, values };
}

/** What a value has to have in it, in small letters. */
function charactersOf(value: AttributeValue): string {
  if (value.kind === 'glob') return value.pattern.toLowerCase().replaceAll('*', '');
  // Equal numbers may be written differently.
  return value.kind === 'text' && !isPlainNumber(value.text) ? value.text.toLowerCase() : '';
}

function matches(node: QueryNode, record: Buffer): Truth {
  const line = new RecordCursor(record, 0);
  line.advance();
  return new QueryMatcher(node, '').matches(line, record) ? YES : NO;
}
