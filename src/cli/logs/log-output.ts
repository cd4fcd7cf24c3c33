import { once } from 'node:events';
import { harmlessJson } from '../../logs/tails/output/sanitize.ts';
import { Paint, wantsColour } from '../paint.ts';
import type { LogProgress } from './log-progress.ts';

/** Whose lines: shown in front of them when there are several apps. */
export interface Prefix {
  readonly app: string;
  /** As wide as the longest name. */
  readonly width: number;
}

/** Writes lines to stdout, as text in colours or as JSON. */
export class LogOutput {
  private readonly paint: Paint;
  private readonly progress: LogProgress;

  constructor(color: boolean | undefined, progress: LogProgress) {
    this.paint = new Paint(wantsColour(process.stdout, color));
    this.progress = progress;
  }

  /** Writes lines; a promise says that whoever reads them is behind. */
  write(lines: readonly unknown[], prefix?: Prefix): void | Promise<void> {
    if (lines.length === 0) return undefined;
    return this.put(lines.map((line) => this.show(line, prefix)).join('\n'));
  }

  /** The same for lines that stand in an order of their own. */
  writeMixed(lines: readonly { readonly line: unknown; readonly prefix: Prefix }[]): void | Promise<void> {
    if (lines.length === 0) return undefined;
    return this.put(lines.map(({ line, prefix }) => this.show(line, prefix)).join('\n'));
  }

  private put(text: string): void | Promise<void> {
    this.progress.clear();
    if (process.stdout.write(`${text}\n`)) return undefined;
    return once(process.stdout, 'drain').then(() => {});
  }

  private show(line: unknown, prefix: Prefix | undefined): string {
    if (typeof line === 'object' && line !== null)
      return harmlessJson(prefix ? { app: prefix.app, ...line } : line);
    const text = this.paint.line(String(line));
    if (!prefix) return text;
    const front = `${this.paint.name(prefix.app, prefix.app.padEnd(prefix.width))} | `;
    return front + text.replaceAll('\n', `\n${front}`);
  }
}
