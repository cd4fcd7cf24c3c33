import { stripColors } from '../common/text/colors.ts';

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
/** What Heroku's CLI uses: readable on dark and light. */
const DYNO_COLORS = [36, 33, 32, 35, 96, 93, 92, 95, 34, 94];
const LINE_PREFIX = /^(\S+) ([^\s[\]]+)\[([^\]]*)\]: /;

/** Colors lines by dyno: each dyno gets the next color when it first appears. */
export class Colorizer {
  private readonly isEnabled: boolean;
  private readonly colorByName = new Map<string, number>();

  /** @param isEnabled false: no colors at all, the messages' own neither. */
  constructor(isEnabled: boolean) {
    this.isEnabled = isEnabled;
  }

  /** The line as it is to be printed; its message is already harmless. */
  colorizeLine(text: string): string {
    if (!this.isEnabled) return stripColors(text);
    const match = LINE_PREFIX.exec(text);
    if (!match) return text;
    const [prefix, time, source, dyno] = match;
    const name = `${source}[${dyno}]:`;
    const rest = text.slice(prefix.length);
    const isError =
      source === 'heroku' && /^(at=error|Error [A-Z]\d+|State changed from \w+ to crashed)/.test(rest);
    return `${DIM}${time}${RESET} \x1b[${this.colorFor(dyno)}m${name}${RESET} ${isError ? `\x1b[31m${rest}${RESET}` : rest}`;
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

/** Should output be colored? `NO_COLOR` and `--no-color`: no, `FORCE_COLOR`: yes, else on a terminal. */
export function wantsColor(stream: { isTTY?: boolean }, option: boolean | undefined): boolean {
  if (option === false || process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true;
}
