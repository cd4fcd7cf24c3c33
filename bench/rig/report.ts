/** How results are put together and written. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { VERSION } from '../../src/common/package-info.ts';

/** A table of results, as Markdown shows it. */
export interface Table {
  readonly title: string;
  /** What was done, and how to read the columns. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The middle value; of an even number of values the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that `share` (0 to 1) of the values are not above; `sorted` rises. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))];
}

/** `1,234,567`, or `-` for what wasn't measured. */
export function formatInteger(value: number): string {
  return Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en-US');
}

/** `1.23`, or `-` for what wasn't measured. */
export function formatDecimal(value: number, digits = 2): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits);
}

/** `123 MB` (of 1,048,576 bytes) */
export function formatMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

/** Markdown, aligned so that it can be read as it is. */
export function toMarkdown({ title, note, columns, rows }: Table): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return `## ${title}\n\n${note}\n\n${[line(columns), rule, ...rows.map(line)].join('\n')}\n`;
}

/** The machine, the code and the moment. */
export function describeEnvironment(): string {
  const all = cpus();
  return [
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `${all.length} cores (${all[0]?.model.trim()})`,
    `Node.js ${process.versions.node}`,
    `code at ${commit()}`,
    ...(process.env.BENCH_STORE === 'redis' ? ['on Redis'] : []),
    `load average before: ${formatLoadAverage()}`,
  ].join(' · ');
}

/** Of the last 1, 5 and 15 minutes: `0.13, 0.55, 0.63` */
export function formatLoadAverage(): string {
  return loadavg()
    .map((value) => formatDecimal(value))
    .join(', ');
}

/** The commit that is measured; `+` when files were changed since. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src') ? '+' : '');
  } catch {
    return VERSION;
  }
}

/** Prints how far a measurement is on stderr: stdout is for the table. */
export function logProgress(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Flags of a measurement: numbers with defaults, and texts. Each takes `--runs`, as `npm run bench` gives it to all; those that
 * measure once ignore it.
 * @throws Error for a flag that doesn't exist, or a number that isn't one.
 */
export function parseFlags<N extends string, T extends string = never>(
  args: readonly string[],
  numbers: Readonly<Record<N, number>>,
  texts: readonly T[] = [],
): Record<N, number> & Partial<Record<T, string>> {
  const defaults: Readonly<Record<string, number>> = { runs: 1, ...numbers };
  const names = [...Object.keys(defaults), ...texts];
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
  });
  const read: Record<string, number | string | undefined> = { ...values };
  for (const [name, fallback] of Object.entries(defaults)) {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} must be a number above 0`);
    read[name] = value;
  }
  return read as Record<N, number> & Partial<Record<T, string>>;
}

/**
 * `1,10,100`
 * @throws Error when one of them isn't a number above 0.
 */
export function parseNumberList(text: string | undefined, fallback: readonly number[]): readonly number[] {
  const list = text?.split(',').map(Number) ?? fallback;
  if (!list.every((value) => value > 0))
    throw new Error(`${text} must be numbers above 0, with commas between`);
  return list;
}

/** What a measurement is: reads its flags, measures, returns the table. */
export type Measurement = (args: readonly string[]) => Promise<Table>;

/** Measures and prints, when the file is the program that was started (and not a part of `npm run bench`). */
export async function runIfMain(moduleUrl: string, measure: Measurement): Promise<void> {
  if (moduleUrl !== pathToFileURL(process.argv[1] ?? '').href) return;
  logProgress(describeEnvironment());
  const table = await measure(process.argv.slice(2));
  process.stdout.write(`\n${toMarkdown(table)}`);
  process.exit();
}
