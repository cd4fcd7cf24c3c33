/**
 * Reads terminal colours (ECMA-48 SGR) out of a message. Whatever else a terminal or a browser might obey (other escape
 * sequences, control characters, changes of the writing direction) is shown as a sign instead.
 */
import type { Mark } from './marks.ts';

export interface Coloured {
  /** What is to be read: without escape sequences, control characters as signs. */
  readonly text: string;
  readonly marks: readonly Mark[];
}

const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;
const SEQUENCE = /\x1b\[([0-9;:]*)m|\r(?=\n|$)|([\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])/g;

/** The message's text, and where it is coloured. */
export function readColours(message: string): Coloured {
  if (!SPECIAL.test(message)) return { text: message, marks: [] };
  const marks: Mark[] = [];
  let style = PLAIN;
  let text = '';
  let done = 0;
  const add = (piece: string): void => {
    if (piece === '') return;
    const from = text.length;
    text += piece;
    if (style !== PLAIN) marks.push({ from, to: text.length, ...asMark(style) });
  };
  for (const match of message.matchAll(SEQUENCE)) {
    add(message.slice(done, match.index));
    done = match.index + match[0].length;
    if (match[1] !== undefined) style = change(style, match[1]);
    else if (match[2] !== undefined) {
      const from = text.length;
      text += sign(match[2]);
      marks.push({ from, to: text.length, name: 'control' });
    }
  }
  add(message.slice(done));
  return { text, marks };
}

/** The picture of a control character (Unicode block U+2400), or its number. */
function sign(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '␡' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}

interface Style {
  readonly fore?: number | string;
  readonly ground?: number | string;
  readonly bold?: boolean;
  readonly faint?: boolean;
  readonly italic?: boolean;
  readonly underlined?: boolean;
  readonly struck?: boolean;
  readonly inverse?: boolean;
}

const PLAIN: Style = {};

function change(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) next = PLAIN;
    else if (code === 38 || code === 48) {
      const { colour, used } = extended(codes, i + 1);
      i += used;
      next = code === 38 ? { ...next, fore: colour } : { ...next, ground: colour };
    } else next = { ...next, ...simple(code) };
  }
  return Object.values(next).some((value) => value !== undefined && value !== false) ? next : PLAIN;
}

function simple(code: number): Style {
  if (code >= 30 && code <= 37) return { fore: code - 30 };
  if (code >= 90 && code <= 97) return { fore: code - 82 };
  if (code >= 40 && code <= 47) return { ground: code - 40 };
  if (code >= 100 && code <= 107) return { ground: code - 92 };
  return SIMPLE[code] ?? {};
}

const SIMPLE: Record<number, Style> = {
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underlined: true },
  7: { inverse: true },
  9: { struck: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underlined: false },
  27: { inverse: false },
  29: { struck: false },
  39: { fore: undefined },
  49: { ground: undefined },
};

/** `5;n` (256 colours) or `2;r;g;b`. */
function extended(
  codes: readonly number[],
  at: number,
): { colour: number | string | undefined; used: number } {
  if (codes[at] === 5) return { colour: indexed(codes[at + 1] ?? 0), used: 2 };
  if (codes[at] !== 2) return { colour: undefined, used: 0 };
  const [red, green, blue] = [1, 2, 3].map((i) => Math.min(255, codes[at + i] || 0));
  return { colour: `rgb(${red} ${green} ${blue})`, used: 4 };
}

function indexed(index: number): number | string | undefined {
  if (!(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

function asMark(style: Style): Pick<Mark, 'name' | 'colour' | 'ground'> {
  const names: string[] = [];
  for (const name of ['bold', 'faint', 'italic', 'underlined', 'struck'] as const)
    if (style[name]) names.push(name);
  const fore = style.inverse ? style.ground : style.fore;
  const ground = style.inverse ? style.fore : style.ground;
  if (style.inverse && fore === undefined && ground === undefined) names.push('inverse');
  if (typeof fore === 'number') names.push(`fore-${fore}`);
  if (typeof ground === 'number') names.push(`ground-${ground}`);
  return {
    name: names.join(' '),
    colour: typeof fore === 'string' ? fore : undefined,
    ground: typeof ground === 'string' ? ground : undefined,
  };
}
