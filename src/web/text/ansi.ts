/**
 * Reads terminal colors (ECMA-48 SGR) out of a message. Whatever else a terminal or a browser might obey, or not show (other escape
 * sequences, control characters, changes of the writing direction) is shown by its name instead.
 */
import { findHiddenCharacters, hasHiddenCharacter } from '../../common/text/hidden-characters.ts';
import type { StyledRange } from './text-spans.ts';
import { characterName, isLayout } from './visible-text.ts';

export interface AnsiText {
  /** What is to be read: without escape sequences, control characters as pictures. */
  readonly text: string;
  readonly ranges: readonly StyledRange[];
}

const SGR = /\x1b\[([0-9;:]*)m/;

/** The message's text, and where it is styled. */
export function parseAnsi(message: string): AnsiText {
  if (!hasHiddenCharacter(message)) return { text: message, ranges: [] };
  const ranges: StyledRange[] = [];
  let style = DEFAULT_STYLE;
  let text = '';
  const addText = (piece: string): void => {
    if (piece === '') return;
    const from = text.length;
    text += piece;
    if (style !== DEFAULT_STYLE) ranges.push({ from, to: text.length, ...toRangeStyle(style) });
  };
  // Every second piece are the parameters of a color.
  for (const [i, piece] of message
    .replace(/\r(?=\n|$)/g, '')
    .split(SGR)
    .entries()) {
    if (i % 2 === 1) {
      style = applySgr(style, piece);
      continue;
    }
    let done = 0;
    for (const { 0: character, index } of findHiddenCharacters(piece)) {
      if (isLayout(character)) continue;
      addText(piece.slice(done, index));
      done = index + character.length;
      const from = text.length;
      text += characterName(character);
      ranges.push({ from, to: text.length, className: 'control' });
    }
    addText(piece.slice(done));
  }
  return { text, ranges };
}

interface SgrStyle {
  readonly foreground?: number | string;
  readonly background?: number | string;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly italic?: boolean;
  readonly underlined?: boolean;
  readonly strikethrough?: boolean;
  readonly inverse?: boolean;
}

const DEFAULT_STYLE: SgrStyle = {};

function applySgr(style: SgrStyle, parameters: string): SgrStyle {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) next = DEFAULT_STYLE;
    else if (code === 38 || code === 48) {
      const { color, used } = extendedColor(codes, i + 1);
      i += used;
      next = code === 38 ? { ...next, foreground: color } : { ...next, background: color };
    } else next = { ...next, ...basicStyle(code) };
  }
  return Object.values(next).some((value) => value !== undefined && value !== false) ? next : DEFAULT_STYLE;
}

function basicStyle(code: number): SgrStyle {
  if (code >= 30 && code <= 37) return { foreground: code - 30 };
  if (code >= 90 && code <= 97) return { foreground: code - 82 };
  if (code >= 40 && code <= 47) return { background: code - 40 };
  if (code >= 100 && code <= 107) return { background: code - 92 };
  return ATTRIBUTE_STYLES[code] ?? {};
}

const ATTRIBUTE_STYLES: Record<number, SgrStyle> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underlined: true },
  7: { inverse: true },
  9: { strikethrough: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underlined: false },
  27: { inverse: false },
  29: { strikethrough: false },
  39: { foreground: undefined },
  49: { background: undefined },
};

/** `5;n` (256 colors) or `2;r;g;b`. */
function extendedColor(
  codes: readonly number[],
  at: number,
): { color: number | string | undefined; used: number } {
  if (codes[at] === 5) return { color: paletteColor(codes[at + 1] ?? 0), used: 2 };
  if (codes[at] !== 2) return { color: undefined, used: 0 };
  const [red, green, blue] = [1, 2, 3].map((i) => Math.min(255, codes[at + i] || 0));
  return { color: `rgb(${red} ${green} ${blue})`, used: 4 };
}

function paletteColor(index: number): number | string | undefined {
  if (!(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return index;
  if (index >= 232) {
    const gray = 8 + (index - 232) * 10;
    return `rgb(${gray} ${gray} ${gray})`;
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

function toRangeStyle(style: SgrStyle): Pick<StyledRange, 'className' | 'color' | 'background'> {
  const classNames: string[] = [];
  for (const name of ['bold', 'dim', 'italic', 'underlined', 'strikethrough'] as const)
    if (style[name]) classNames.push(name);
  const foreground = style.inverse ? style.background : style.foreground;
  const background = style.inverse ? style.foreground : style.background;
  if (style.inverse && foreground === undefined && background === undefined) classNames.push('inverse');
  if (typeof foreground === 'number') classNames.push(`fg-${foreground}`);
  if (typeof background === 'number') classNames.push(`bg-${background}`);
  return {
    className: classNames.join(' '),
    color: typeof foreground === 'string' ? foreground : undefined,
    background: typeof background === 'string' ? background : undefined,
  };
}
