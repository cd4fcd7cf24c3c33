/** Redacts secrets in messages before they are sent. */
import { RE2JS } from 're2js';
import type { DrainOptions, RedactionRule } from '../options/drain-options.ts';

/** Replaces what is redacted. No character of it has a meaning in structured data (RFC 5424 section 6.3.3). */
const REDACTION_MARK = '<redacted>';

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
  // 13 to 19 digits, grouped or not, with the check digit of ISO/IEC 7812-1; no card begins with 1, but timestamps do.
  card: (text) =>
    text.replace(/(?<![\d.-])[2-6](?:[ -]?\d){12,18}(?![\d.]?\d)/g, (found) =>
      passesLuhn(found) ? REDACTION_MARK : found,
    ),
  email: (text) =>
    text.includes('@')
      ? text.replace(
          /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+/g,
          REDACTION_MARK,
        )
      : text,
};

/** The redaction of a drain's options; undefined when there is none. */
export function createRedactor(options: DrainOptions): ((text: string) => string) | undefined {
  const steps = (options.redact ?? []).map((rule) => BUILT_IN_RULES[rule]);
  for (const source of options.redact_patterns ?? []) {
    const pattern = RE2JS.compile(source);
    steps.push((text) => (pattern.test(text) ? pattern.matcher(text).replaceAll(REDACTION_MARK) : text));
  }
  if (steps.length === 0) return undefined;
  return (text) => steps.reduce((rest, step) => step(rest), text);
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
