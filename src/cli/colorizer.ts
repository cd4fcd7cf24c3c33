import { stripColors } from '../common/text/colors.ts';
import type { LogLevel } from '../logs/syslog/level.ts';

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
/** What Heroku's CLI uses: readable on dark and light. */
const DYNO_COLORS = [36, 33, 32, 35, 96, 93, 92, 95, 34, 94];
const RED = '\x1b[31m';
const YELLOW = '\x1b[33m';
const LINE_PREFIX = /^(\S+) ([^\s[\]]+)\[([^\]]*)\]: /;

/** What is shown of a line, harmless already. */
export interface ShownLine {
  /** Empty: it isn't shown. */
  readonly time: string;
  readonly source: string;
  readonly dyno: string;
  readonly message: string;
  /** Undefined: not known, and only the platform's own errors are marked. */
  readonly level?: LogLevel;
}

/** Colors lines by dyno: each dyno gets the next color when it first appears. */
export class Colorizer {
  private readonly isEnabled: boolean;
  private readonly colorByName = new Map<string, number>();

  /** @param isEnabled false: no colors at all, the messages' own neither. */
  constructor(isEnabled: boolean) {
    this.isEnabled = isEnabled;
  }

  /** A line of text, as it is to be printed. */
  colorizeLine(text: string): string {
    if (!this.isEnabled) return stripColors(text);
    const match = LINE_PREFIX.exec(text);
    if (!match) return text;
    const [prefix, time, source, dyno] = match;
    return this.colorizeFields({ time, source, dyno, message: text.slice(prefix.length) });
  }

  /** The same for a line whose fields are known. */
  colorizeFields({ time, source, dyno, message, level }: ShownLine): string {
    const name = `${source}[${dyno}]:`;
    if (!this.isEnabled) return `${time}${time && ' '}${name} ${stripColors(message)}`;
    const color = isPlatformError(source, message) ? RED : levelColor(level);
    // Where a message has colors of its own, those count.
    const shown = color === '' || message.includes('\x1b[') ? message : `${color}${message}${RESET}`;
    const shownTime = time && `${DIM}${time}${RESET} `;
    return `${shownTime}\x1b[${this.colorFor(dyno)}m${name}${RESET} ${shown}`;
  }

  /** A text that came with colors of its own. */
  keepColors(text: string): string {
    return this.isEnabled ? text : stripColors(text);
  }

  dim(text: string): string {
    return this.isEnabled ? `${DIM}${text}${RESET}` : text;
  }

  /** A name in its color. */
  colorizeName(name: string, shown: string = name): string {
    return this.isEnabled ? `\x1b[${this.colorFor(`app ${name}`)}m${shown}${RESET}` : shown;
  }

  private colorFor(dyno: string): number {
    let color = this.colorByName.get(dyno);
    if (color === undefined) {
      color = DYNO_COLORS[this.colorByName.size % DYNO_COLORS.length];
      this.colorByName.set(dyno, color);
    }
    return color;
  }
}

function isPlatformError(source: string, message: string): boolean {
  return source === 'heroku' && /^(at=error|Error [A-Z]\d+|State changed from \w+ to crashed)/.test(message);
}

function levelColor(level: LogLevel | undefined): string {
  if (level === 'error') return RED;
  return level === 'warn' ? YELLOW : '';
}

/** What was typed: false for `--no-color`, `always` for `--force-colors`. */
export type ColorOption = boolean | 'always' | undefined;

/** Should output be colored? `NO_COLOR` and `--no-color`: no, `--force-colors` and `FORCE_COLOR`: yes, else on a terminal. */
export function wantsColor(stream: { isTTY?: boolean }, option: ColorOption): boolean {
  if (option === 'always') return true;
  if (option === false || process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true;
}
