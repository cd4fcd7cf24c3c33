/**
 * Finds the patterns of messages: what is the same in many of them, with `<*>` for what differs. As Drain does (He et al., 2017): what looks
 * like a value is masked, messages with as many words and the same first ones are compared word by word, and the most similar pattern,
 * if it is similar enough, is theirs. Memory is bounded: the pattern that wasn't seen for the longest time goes.
 */
import { cutText } from '../../../../src/common/text/cut-text.ts';

/** Of a message's beginning. */
const MESSAGE_LENGTH_MAX = 1_000;
const WORDS_MAX = 60;
const WORD_LENGTH_MAX = 60;
/** Words at the beginning that have to be the same. */
const PREFIX_WORDS = 2;
/** Part of the words that has to be the same. */
const SIMILARITY_MIN = 0.5;
/** Patterns that begin alike; beyond, a message joins the most similar one. */
const SIBLINGS_MAX = 50;
export const PATTERNS_KEPT_MAX = 2_000;
const WILDCARD = '<*>';
/** When a pattern was seen is written down again after this time, or a part of what it is remembered for. */
const SEEN_STEP_MS = 3_600_000;

/** What is kept of a pattern: its words, where it is looked for, when it was seen. */
export type PatternRecord = readonly [words: readonly string[], place: string, seenMs: number];

/** A pattern that has to be written down, or, without a record, removed. */
export interface PatternChange {
  readonly id: string;
  readonly record: PatternRecord | undefined;
}

interface Pattern {
  readonly id: string;
  words: string[];
  readonly place: string;
  seenMs: number;
}

/** The patterns of one alert. Times are milliseconds since 1970; what changed goes to the store by {@link takeChanges}. */
export class TemplateMiner {
  private readonly places = new Map<string, Pattern[]>();
  /** The one that wasn't seen for the longest time comes first. */
  private readonly all = new Set<Pattern>();
  private readonly rememberMs: number;
  /** What isn't written down yet. */
  private changed = new Set<Pattern>();
  private removed = new Set<string>();
  private lastId = 0;

  /** @param rememberMs for how long a pattern that isn't seen is known */
  constructor(rememberMs: number, saved: readonly PatternChange[] = []) {
    this.rememberMs = rememberMs;
    const known = saved.flatMap(({ id, record }) => (record ? [{ id, record }] : []));
    for (const { id, record } of known.sort((a, b) => a.record[2] - b.record[2])) {
      const [words, place, seenMs] = record;
      this.lastId = Math.max(this.lastId, Number.parseInt(id, 36));
      this.add({ id, words: [...words], place, seenMs });
    }
  }

  /** Learns a message: its pattern, when that wasn't seen for so long. */
  learn(message: string, atMs: number): string | undefined {
    const words = maskedWords(message);
    const place = placeOf(words);
    const siblings = this.places.get(place) ?? [];
    let best: Pattern | undefined;
    let bestScore = -1;
    for (const sibling of siblings) {
      const score = similarity(sibling.words, words);
      if (score > bestScore) {
        best = sibling;
        bestScore = score;
      }
    }
    if (!best || (bestScore < SIMILARITY_MIN && siblings.length < SIBLINGS_MAX)) {
      const pattern = { id: (++this.lastId).toString(36), words, place, seenMs: atMs };
      this.changed.add(pattern);
      this.add(pattern);
      return words.join(' ');
    }
    const isForgotten = atMs - best.seenMs > this.rememberMs;
    this.generalize(best, words);
    if (atMs - best.seenMs > Math.min(SEEN_STEP_MS, this.rememberMs / 24)) {
      this.changed.add(best);
      best.seenMs = atMs;
    }
    this.all.delete(best);
    this.all.add(best);
    return isForgotten ? best.words.join(' ') : undefined;
  }

  /** How many patterns are known. */
  get size(): number {
    return this.all.size;
  }

  /** There is something for {@link takeChanges}. */
  get isDirty(): boolean {
    return this.changed.size + this.removed.size > 0;
  }

  /** What has to be written down since it was asked the last time. */
  takeChanges(): PatternChange[] {
    const changes: PatternChange[] = [
      ...[...this.changed].map(({ id, words, place, seenMs }) => ({
        id,
        record: [words, place, seenMs] as const,
      })),
      ...[...this.removed].map((id) => ({ id, record: undefined })),
    ];
    this.changed = new Set();
    this.removed = new Set();
    return changes;
  }

  private generalize(pattern: Pattern, words: readonly string[]): void {
    for (let i = 0; i < words.length; i++)
      if (pattern.words[i] !== words[i] && pattern.words[i] !== WILDCARD) {
        pattern.words[i] = WILDCARD;
        this.changed.add(pattern);
      }
  }

  private add(pattern: Pattern): void {
    const siblings = this.places.get(pattern.place);
    if (siblings) siblings.push(pattern);
    else this.places.set(pattern.place, [pattern]);
    this.all.add(pattern);
    if (this.all.size <= PATTERNS_KEPT_MAX) return;
    const [oldest] = this.all;
    this.all.delete(oldest);
    this.changed.delete(oldest);
    this.removed.add(oldest.id);
    const left = this.places.get(oldest.place)?.filter((one) => one !== oldest) ?? [];
    if (left.length === 0) this.places.delete(oldest.place);
    else this.places.set(oldest.place, left);
  }
}

const KEY_VALUE = /^([\w.#@-]{1,40}[=:])(.+)$/;
const HEXADECIMAL = /^(?:0x)?[0-9a-f-]{8,}$/i;

/** The words of a message, with `<*>` for what looks like a value: all with a digit in it, and what is long and hexadecimal. */
export function maskedWords(message: string): string[] {
  const words = cutText(message, MESSAGE_LENGTH_MAX).trim().split(/\s+/, WORDS_MAX);
  return words.map((word) => {
    const pair = KEY_VALUE.exec(word);
    if (pair && isValue(pair[2])) return pair[1] + WILDCARD;
    return isValue(word) ? WILDCARD : cutText(word, WORD_LENGTH_MAX);
  });
}

function isValue(word: string): boolean {
  return /\d/.test(word) || HEXADECIMAL.test(word);
}

function placeOf(words: readonly string[]): string {
  return [String(words.length), ...words.slice(0, PREFIX_WORDS)].join(' ');
}

/** Words that are the same, of all; a word that differs in every message is none. */
function similarity(pattern: readonly string[], words: readonly string[]): number {
  let same = 0;
  for (let i = 0; i < words.length; i++) if (pattern[i] === words[i]) same++;
  return words.length === 0 ? 1 : same / words.length;
}
