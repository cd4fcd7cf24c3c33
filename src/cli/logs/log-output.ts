import { once } from 'node:events';
import { terminalSafeJson } from '../../logs/tails/output/sanitize.ts';
import { Colorizer, type ColorOption, wantsColor } from '../colorizer.ts';
import { LineFormatter, type LineStyle, type TailLine } from './line-formatter.ts';
import type { ReplayProgress } from './replay-progress.ts';

/** Whose lines: shown in front of them when there are several apps. */
export interface AppPrefix {
  readonly app: string;
  /** As wide as the longest name. */
  readonly width: number;
}

/** Writes lines to stdout, as colored text or as JSON. */
export class LogOutput {
  private readonly colorizer: Colorizer;
  /** Undefined: lines that come as JSON are shown as JSON. */
  private readonly formatter: LineFormatter | undefined;
  private readonly progress: ReplayProgress;
  /** Resolves when stdout, which is full, takes more: one for all who wait. */
  private drained: Promise<void> | undefined;

  /**
   * @param style of lines that come as JSON; left out: they are shown as JSON
   * @throws TailraceError as {@link LineFormatter}
   */
  constructor(color: ColorOption, progress: ReplayProgress, style?: LineStyle) {
    this.colorizer = new Colorizer(wantsColor(process.stdout, color));
    this.formatter = style && new LineFormatter(style, this.colorizer);
    this.progress = progress;
  }

  /** Writes lines; returns a promise while stdout is full (backpressure). */
  write(lines: readonly unknown[], prefix?: AppPrefix): void | Promise<void> {
    if (lines.length === 0) return undefined;
    return this.writeText(lines.map((line) => this.formatLine(line, prefix)).join('\n'));
  }

  /** The same for sorted lines of several apps. */
  writeMerged(
    lines: readonly { readonly line: unknown; readonly prefix: AppPrefix }[],
  ): void | Promise<void> {
    if (lines.length === 0) return undefined;
    return this.writeText(lines.map(({ line, prefix }) => this.formatLine(line, prefix)).join('\n'));
  }

  private writeText(text: string): void | Promise<void> {
    this.progress.clear();
    if (process.stdout.write(`${text}\n`)) return undefined;
    this.drained ??= once(process.stdout, 'drain').then(() => {
      this.drained = undefined;
    });
    return this.drained;
  }

  private formatLine(line: unknown, prefix: AppPrefix | undefined): string {
    if (typeof line === 'object' && line !== null && !this.formatter)
      return terminalSafeJson(prefix ? { app: prefix.app, ...line } : line);
    const text = this.formatter
      ? this.formatter.format(line as TailLine, prefix?.app)
      : this.colorizer.colorizeLine(String(line));
    if (!prefix || this.formatter?.isTemplate) return text;
    const front = `${this.colorizer.colorizeName(prefix.app, prefix.app.padEnd(prefix.width))} | `;
    return front + text.replaceAll('\n', `\n${front}`);
  }
}
