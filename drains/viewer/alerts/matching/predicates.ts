/** What many searches ask of a line, each thing once, and how they are put together of it. */
import { FieldPath } from '../../../../src/logs/query/field-scanner.ts';
import { queryLiterals, valueLiterals } from '../../../../src/logs/query/prefilter/query-literals.ts';
import { QueryMatcher, severityTest } from '../../../../src/logs/query/query-matcher.ts';
import { isLineAttribute, type QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import { isAscii, longestPlain } from '../../../../src/logs/query/text-pattern.ts';
import { TEXT_LENGTH_MIN } from './gram-scanner.ts';
import { WantedField } from './line-fields.ts';

/** Numbers of texts that the scan looks for; one of them is in each line that matches. */
type Texts = readonly number[] | undefined;

export type Predicate =
  | { readonly kind: 'all' | 'any'; readonly children: readonly number[] }
  | { readonly kind: 'not'; readonly child: number }
  /** Stands in a line just where the scan finds the text, in the message at least. */
  | {
      readonly kind: 'text';
      readonly text: number;
      readonly inMessage: boolean;
      readonly matcher: QueryMatcher;
    }
  /** Of facility, sender, source and dyno. */
  | { readonly kind: 'header'; readonly matcher: QueryMatcher }
  | { readonly kind: 'severity'; readonly mask: number }
  /** `place`: where the field's values say whether it holds. */
  | { readonly kind: 'field'; readonly field: number; readonly place: number; readonly texts: Texts }
  | { readonly kind: 'other'; readonly matcher: QueryMatcher; readonly texts: Texts };

type LeafNode = Exclude<QueryNode, { kind: 'and' | 'or' | 'not' }>;
type AttributeNode = Extract<QueryNode, { kind: 'attribute' }>;

/** What they ask is in the line's header. */
const HEADER_ATTRIBUTES: readonly string[] = ['source', 'dyno', 'program', 'sender', 'facility'];

export class PredicateGraph {
  readonly all: Predicate[] = [];
  readonly fields: WantedField[] = [];
  /** What the scan looks for, in lower case. */
  readonly texts = new Map<string, number>();
  private readonly known = new Map<string, number>();
  private readonly fieldOf = new Map<string, number>();

  /** The number of a search's predicate. */
  add(expression: QueryNode): number {
    return this.node(expression, false);
  }

  /** The same number for a text in any case; texts are numbered from 0 as they come. */
  textNumber(text: string): number {
    const lower = text.toLowerCase();
    let number = this.texts.get(lower);
    if (number === undefined) {
      number = this.texts.size;
      this.texts.set(lower, number);
    }
    return number;
  }

  /** Negations are carried down to what they negate. */
  private node(node: QueryNode, isNegated: boolean): number {
    switch (node.kind) {
      case 'not':
        return this.node(node.child, !isNegated);
      case 'and':
      case 'or': {
        const kind = (node.kind === 'and') === isNegated ? 'any' : 'all';
        return this.composed(
          kind,
          node.children.map((child) => this.node(child, isNegated)),
        );
      }
      default: {
        const leaf = this.leaf(node);
        return isNegated ? this.negated(leaf) : leaf;
      }
    }
  }

  private negated(number: number): number {
    const predicate = this.all[number];
    switch (predicate.kind) {
      case 'not':
        return predicate.child;
      case 'all':
      case 'any':
        return this.composed(
          predicate.kind === 'all' ? 'any' : 'all',
          predicate.children.map((child) => this.negated(child)),
        );
      default:
        return this.keep(`not ${number}`, () => ({ kind: 'not', child: number }));
    }
  }

  private composed(kind: 'all' | 'any', numbers: readonly number[]): number {
    const flat = numbers.flatMap((number) => {
      const predicate = this.all[number];
      return predicate.kind === kind ? predicate.children : [number];
    });
    const children = [...new Set(flat)].sort((a, b) => a - b);
    if (children.length === 1) return children[0];
    return this.keep(`${kind} ${children.join(' ')}`, () => ({ kind, children }));
  }

  private leaf(node: LeafNode): number {
    if (node.kind !== 'attribute') {
      if (node.kind === 'text') {
        const { text } = node;
        if (isAscii(text) && text.length >= TEXT_LENGTH_MIN && longestPlain(text) === text)
          return this.text(node, text, false);
      }
      return this.other(node);
    }
    const { name, value } = node;
    if (HEADER_ATTRIBUTES.includes(name))
      return this.keep(JSON.stringify(node), () => ({ kind: 'header', matcher: matcherOf(node) }));
    if (name === 'severity' || name === 'level') return this.severity(node);
    if (name === 'message') {
      if (value.kind === 'text' && isAscii(value.text) && value.text.length >= TEXT_LENGTH_MIN)
        return this.text(node, value.text, true);
      return this.other(node);
    }
    const field = this.fieldLeaf(node);
    if (!isLineAttribute(name)) return field;
    return this.composed('any', [this.leaf({ ...node, name: 'sender' }), field]);
  }

  /** A field, or what is written as its name and value in the text: `localhost:3000`. */
  private fieldLeaf(node: AttributeNode): number {
    const { name, value } = node;
    const asked = this.keep(`field ${JSON.stringify(node)}`, (number) => {
      const { path } = new FieldPath(name);
      let field = this.fieldOf.get(path);
      if (field === undefined) {
        field = this.fields.push(new WantedField(name)) - 1;
        this.fieldOf.set(path, field);
      }
      const place = this.fields[field].index.add(number, name, value);
      return { kind: 'field', field, place, texts: this.textsOf(valueLiterals(value)) };
    });
    const text = value.kind === 'text' ? value.text : value.kind === 'glob' ? value.pattern : '';
    if (text === '') return asked;
    const written = this.leaf({
      kind: 'attribute',
      name: 'message',
      value: { kind: 'text', text: `${name}:${text}` },
    });
    return this.composed('any', [asked, written]);
  }

  private severity({ value }: AttributeNode): number {
    const test = severityTest(value);
    let mask = 0;
    for (let severity = 0; severity < 8; severity++) if (test(severity)) mask |= 1 << severity;
    return this.keep(`severity ${mask}`, () => ({ kind: 'severity', mask }));
  }

  private text(node: LeafNode, text: string, inMessage: boolean): number {
    return this.keep(`${inMessage ? 'message' : 'text'} ${text.toLowerCase()}`, () => ({
      kind: 'text',
      text: this.textNumber(text),
      inMessage,
      matcher: matcherOf(node),
    }));
  }

  private other(node: LeafNode): number {
    return this.keep(JSON.stringify(node), () => ({
      kind: 'other',
      matcher: matcherOf(node),
      texts: this.textsOf(queryLiterals(node)),
    }));
  }

  private textsOf(literals: ReturnType<typeof queryLiterals>): Texts {
    if (!literals?.every(({ plain }) => plain.length >= TEXT_LENGTH_MIN)) return undefined;
    return literals.map(({ plain }) => this.textNumber(plain));
  }

  private keep(key: string, make: (number: number) => Predicate): number {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const number = this.all.length;
    // What it is made of may add others.
    this.all.push({ kind: 'all', children: [] });
    this.all[number] = make(number);
    this.known.set(key, number);
    return number;
  }
}

function matcherOf(node: LeafNode): QueryMatcher {
  return new QueryMatcher(node, '');
}
