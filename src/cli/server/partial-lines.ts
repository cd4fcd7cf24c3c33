import { trimTrailing } from '../../common/limits/trim-trailing.ts';
import { characterWidth } from '../../common/text/character-width.ts';
import { stripColors } from '../../common/text/colors.ts';
import { sanitize } from '../../logs/tails/output/sanitize.ts';

export interface PartialLinesOptions {
  readonly write: (text: Uint8Array | string) => unknown;
  /** Of the terminal. */
  readonly columns: () => number;
  /** Colors a line. */
  readonly paint?: (line: string) => string;
  readonly now?: () => Date;
}

const ERASE_LINE = '\r\x1b[K';

/**
 * Lines that dynos have begun and not finished, such as prompts and progress, below the stream on a terminal: the latest of them. When the line
 * is whole, it comes with the stream and takes that place.
 */
export class PartialLines {
  private readonly options: PartialLinesOptions;
  /** By dyno, the latest last. */
  private readonly lines = new Map<string, string>();
  private isShown = false;

  constructor(options: PartialLinesOptions) {
    this.options = options;
  }

  /** Prints lines of the stream. */
  print(text: Uint8Array | string): void {
    this.erase();
    this.options.write(text);
    this.draw();
  }

  /** @param line what there is of it; undefined: it has ended, and stays until the stream brings it */
  set(dyno: string, line: Uint8Array | undefined): void {
    this.lines.delete(dyno);
    if (line === undefined) return;
    this.lines.set(dyno, this.format(dyno, Buffer.from(line).toString()));
    this.erase();
    this.draw();
  }

  /** Leaves the terminal with its cursor at the start of a line. */
  end(): void {
    this.lines.clear();
    this.erase();
  }

  private format(dyno: string, text: string): string {
    // As a terminal would have it: what comes after a carriage return covers what was before.
    const shown = trimTrailing(text, '\r');
    const last = stripColors(sanitize(shown.slice(shown.lastIndexOf('\r') + 1)));
    const time = (this.options.now?.() ?? new Date()).toISOString().replace('Z', '000+00:00');
    const line = fitColumns(`${time} app[${dyno}]: ${last}`, this.options.columns() - 1);
    return this.options.paint?.(line) ?? line;
  }

  private erase(): void {
    if (this.isShown) this.options.write(ERASE_LINE);
    this.isShown = false;
  }

  private draw(): void {
    const last = [...this.lines.values()].at(-1);
    if (last === undefined) return;
    this.options.write(last);
    this.isShown = true;
  }
}

/** A line that wraps couldn't be erased. */
function fitColumns(line: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const character of line) {
    width += characterWidth(character);
    if (width > columns) return line.slice(0, end);
    end += character.length;
  }
  return line;
}
