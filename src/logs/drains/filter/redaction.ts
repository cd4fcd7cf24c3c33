/** Redacts secrets in messages before they are sent. */
import { RE2JS } from 're2js';
import type { DrainOptions, RedactionRule } from '../options/drain-options.ts';
import { candidatesOf, type LinePredicate } from './drain-filter.ts';
import { HAS_AT, HAS_BEARER, HAS_CARD } from './wasm-scan.ts';

/** Replaces what is redacted. No character of it has a meaning in structured data (RFC 5424 section 6.3.3). */
const REDACTION_MARK = '<redacted>';

/**
 * Numbers of 13 to 19 digits, which are cards if their last digit is the check digit of ISO/IEC 7812-1; no card begins with 1, but timestamps
 * do. Other numbers (a time, an amount, the card's own date) are before and behind those without spaces, and those that are written as cards
 * are; what has spaces elsewhere is taken as a whole.
 */
const CARDS = [
  /(?<![\d.-])[2-6]\d{12,18}(?!\.?\d)/g,
  /(?<![\d.-])[2-6]\d{3}([ -])(?:\d{4}\1\d{4}\1\d{4}|\d{6}\1\d{4,5})(?!\.?\d)/g,
  /(?<![\d.-])[2-6](?:[ -]?\d){12,18}(?![\d.]?\d)/g,
];

/** Each takes linear time: no part of a pattern can match in two ways. */
const BUILT_IN_RULES: Record<RedactionRule, (text: string) => string> = {
  // `Authorization: Basic …`, whatever follows; `Bearer …` anywhere, if what follows is long or has a digit: not in prose.
  bearer: (text) =>
    text
      .replace(
        /(authorization["']?[ ]?[:=][ ]?["']?(?:basic|bearer|token)[ ])[^\s"',;]+/gi,
        `$1${REDACTION_MARK}`,
      )
      .replace(
        /\b(bearer[ =:]{1,3})(?=[a-z._~+/-]{0,15}[0-9]|[a-z._~+/-]{16})[a-z0-9._~+/-]{8,}={0,2}/gi,
        `$1${REDACTION_MARK}`,
      ),
  // `postgres://user:secret@host/`
  'url-password': (text) =>
    text.includes('@')
      ? text.replace(/(:\/\/[^\s/?#@:]{0,256}:)[^\s/?#@]{1,512}@/g, `$1${REDACTION_MARK}@`)
      : text,
  card: (text) =>
    CARDS.reduce(
      (rest, numbers) => rest.replace(numbers, (found) => (passesLuhn(found) ? REDACTION_MARK : found)),
      text,
    ),
  email: (text) =>
    text.includes('@')
      ? text.replace(
          /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+/g,
          REDACTION_MARK,
        )
      : text,
};

/** Facts of a line (`wasm-scan.ts`) without any of which a rule leaves it as it is. */
const RULE_FACTS: Record<RedactionRule, number> = {
  bearer: HAS_BEARER,
  'url-password': HAS_AT,
  card: HAS_CARD,
  email: HAS_AT,
};

export interface Redactor {
  /** @param facts of the line that the text is of */
  readonly redact: (text: string, facts: number) => string;
  /** Facts of a line, one of which it has if a rule redacts something. */
  readonly facts: number;
  /** May one of the user's own patterns redact something? Asked line by line, in their order; undefined when there are none. */
  readonly mayMatch: LinePredicate | undefined;
}

/** The redaction of a drain's options; undefined when there is none. */
export function createRedactor(options: DrainOptions): Redactor | undefined {
  const { redact: rules = [], redact_patterns: patterns = [] } = options;
  const steps: { readonly facts: number; readonly change: (text: string) => string }[] = rules.map(
    (rule) => ({
      facts: RULE_FACTS[rule],
      change: BUILT_IN_RULES[rule],
    }),
  );
  for (const source of patterns) {
    const pattern = RE2JS.compile(source);
    steps.push({
      facts: -1,
      change: (text) => (pattern.test(text) ? pattern.matcher(text).replaceAll(REDACTION_MARK) : text),
    });
  }
  if (steps.length === 0) return undefined;
  return {
    redact: (text, facts) => {
      let rest = text;
      for (const step of steps) if (step.facts === -1 || (step.facts & facts) !== 0) rest = step.change(rest);
      return rest;
    },
    facts: rules.reduce((facts, rule) => facts | RULE_FACTS[rule], 0),
    mayMatch: patterns.length === 0 ? undefined : (candidatesOf(patterns, 'line') ?? (() => true)),
  };
}

/** Luhn's algorithm (ISO/IEC 7812-1 annex B). */
function passesLuhn(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
