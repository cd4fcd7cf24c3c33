/** A literal as bytes that it may be stored as: what the WebAssembly search looks for. */

import type { CompareOperator } from '../query-syntax.ts';

/** Of a longer literal only the beginning is looked for. */
export const PATTERN_BYTES_MAX = 64;

const LETTER_CASE = 0x20;
/** What may stand in their place, {@link fixedPart}: a space. */
const ROUGH = '/[';
/** The most frequent characters of logs: what isn't among them is in few places. */
const FREQUENT = ' e0t1ai2nosr-3d:"5l.4cp67m89u/=hg,fb_vwy[]<>';

/** What the number is compared with that stands behind the name of a field. */
export interface NumberTest {
  readonly operator: CompareOperator;
  readonly operand: number;
}

/** A text that a line has to have in it; which bytes may stand for it is decided here, and nowhere else. */
export interface LiteralPattern {
  /** Of each byte a mask and a value: a byte fits that, with the mask's bits set, is the value. More may fit than are meant. */
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Its bytes that are in the fewest places, by their indexes. */
  readonly probes: readonly [number, number];
  /** The places don't count where it is followed by a number for which this surely doesn't hold. */
  readonly number: NumberTest | undefined;
}

/** @param text ASCII, with at least one character */
export function literalPattern(text: string, number?: NumberTest): LiteralPattern {
  const length = Math.min(text.length, PATTERN_BYTES_MAX);
  const bytes = new Uint8Array(2 * length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const mask = /[a-z]/i.test(text[i]) ? LETTER_CASE : ROUGH.includes(text[i]) ? code ^ 0x20 : 0;
    bytes[2 * i] = mask;
    bytes[2 * i + 1] = code | mask;
  }
  const places = Array.from({ length }, (_, i) => i).sort((a, b) => frequency(text[a]) - frequency(text[b]));
  const probes = [places[0], places[1] ?? places[0]] as const;
  return { bytes, length, probes, number: length === text.length ? number : undefined };
}

/** How often a character is found, in no unit. */
function frequency(character: string): number {
  if (ROUGH.includes(character)) return FREQUENT.length + 1;
  const rank = FREQUENT.indexOf(character.toLowerCase());
  return rank === -1 ? 0 : FREQUENT.length - rank;
}

/** Does the pattern stand at a place of some bytes? What the WebAssembly search finds is defined by this. */
export function standsAt({ bytes: pattern, length }: LiteralPattern, bytes: Uint8Array, at: number): boolean {
  if (at + length > bytes.length) return false;
  for (let i = 0; i < length; i++) if ((bytes[at + i] | pattern[2 * i]) !== pattern[2 * i + 1]) return false;
  return true;
}
