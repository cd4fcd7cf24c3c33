import { stripColours } from '../logs/tails/output/sanitize.ts';

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
/** What Heroku's CLI uses: readable on dark and light. */
const COLOURS = [36, 33, 32, 35, 96, 93, 92, 95, 34, 94];
const PREFIX = /^(\S+) ([^\s[\]]+)\[([^\]]*)\]: /;

/** Colours lines by dyno, each dyno its own colour in the order of their appearance. */
export class Paint {
  private readonly on: boolean;
  private readonly colours = new Map<string, number>();

  /** @param on false: no colours at all, the messages' own neither. */
  constructor(on: boolean) {
    this.on = on;
  }

  /** The line as it is to be printed; its message is already harmless. */
  line(text: string): string {
    if (!this.on) return stripColours(text);
    const match = PREFIX.exec(text);
    if (!match) return text;
    const [prefix, time, source, dyno] = match;
    const name = `${source}[${dyno}]:`;
    const rest = text.slice(prefix.length);
    const alarming =
      source === 'heroku' && /^(at=error|Error [A-Z]\d+|State changed from \w+ to crashed)/.test(rest);
    return `${DIM}${time}${RESET} \x1b[${this.colour(dyno)}m${name}${RESET} ${alarming ? `\x1b[31m${rest}${RESET}` : rest}`;
  }

  /** A name in the colour that is its own. */
  name(name: string, shown: string = name): string {
    return this.on ? `\x1b[${this.colour(`app ${name}`)}m${shown}${RESET}` : shown;
  }

  private colour(dyno: string): number {
    let colour = this.colours.get(dyno);
    if (colour === undefined) {
      colour = COLOURS[this.colours.size % COLOURS.length];
      this.colours.set(dyno, colour);
    }
    return colour;
  }
}

/** Are colours wanted? `NO_COLOR` and `--no-color` say no, `FORCE_COLOR` yes, else a terminal decides. */
export function wantsColour(stream: { isTTY?: boolean }, option: boolean | undefined): boolean {
  if (option === false || process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR && process.env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true;
}
