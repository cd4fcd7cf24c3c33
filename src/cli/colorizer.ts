import { stripColors } from '../logs/tails/output/sanitize.ts';

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
/** What Heroku's CLI uses: readable on dark and light. */
const DYNO_COLORS = [36, 33, 32, 35, 96, 93, 92, 95, 34, 94];
const LINE_PREFIX = /^(\S+) ([^\s[\]]+)\[([^\]]*)\]: /;

/** Colours lines by dyno, each dyno its own colour in the order of their appearance. */
export class Colorizer {
  private readonly isEnabled: boolean;
  private readonly colorByName = new Map<string, number>();

  /** @param isEnabled false: no colours at all, the messages' own neither. */
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

  /** A name in the colour that is its own. */
  colorizeName(name: string, shown: string = name): string {
    return this.isEnabled ? `\x1b[${this.colorFor(`app ${name}`)}m${shown}${RESET}` : shown;
  }

  private colorFor(dyno: string): number {
    let colour = this.colorByName.get(dyno);
    if (colour === undefined) {
      colour = DYNO_COLORS[this.colorByName.size % DYNO_COLORS.length];
      this.colorByName.set(dyno, colour);
    }
    return colour;
  }
}

/** Are colours wanted? `NO_COLOR` and `--no-color` say no, `FORCE_COLOR` yes, else a terminal decides. */
export function wantsColor(stream: { isTTY?: boolean }, option: boolean | undefined): boolean {
  if (option === false || process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true;
}
