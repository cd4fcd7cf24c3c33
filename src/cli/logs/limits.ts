import type { Command } from 'commander';
import { readOption } from '../../common/config/setting-readers.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatBytes, formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { DURATION_FORMS } from '../../common/time-expression.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface Amounts {
  readonly lines: number;
  readonly bytes: number;
  readonly age_s: number;
  readonly lines_per_s: number | null;
  readonly bytes_per_s: number | null;
}
type LimitName = keyof Amounts;

/** What the server says of an app's limits. */
export interface LimitsView extends Amounts {
  readonly own: Readonly<Record<LimitName, boolean>>;
  readonly held: { readonly lines: number; readonly bytes: number; readonly stored_bytes: number | null };
}

interface Options {
  readonly app?: string;
  readonly json?: boolean;
  readonly lines?: string;
  readonly bytes?: string;
  readonly age?: string;
  readonly linesPerS?: string;
  readonly bytesPerS?: string;
  readonly default?: boolean;
}

const DAY_S = 86_400;

/** `tailrace logs:limits [--age 30d] [--bytes 1GB] [--lines N] [--lines-per-s N] [--bytes-per-s 1MB] [--default]` */
export function limitsCommand(program: Command): void {
  addClientOptions(
    program
      .command('logs:limits')
      .alias('logs:retention')
      .description(
        "show or set how much an app's log may hold, and how fast it may grow; `default` clears one",
      )
      .option('--age <duration>', `how long lines are kept: ${DURATION_FORMS}`)
      .option('--bytes <bytes>', 'bytes that are kept at the most: 500MB, 2GB')
      .option('--lines <number>', 'lines that are kept at the most')
      .option('--lines-per-s <number>', "lines a second that the app's sources may send; `none`: any number")
      .option('--bytes-per-s <bytes>', 'the same in bytes: 1MB')
      .option('--default', 'clear all of them: what the settings say holds'),
  ).action(async (options: Options) => {
    const change = readChange(options);
    const { app, client, path } = await resolveEndpoint(options, '/log-limits');
    const limits = await (change
      ? client.request<LimitsView>('PATCH', path, change)
      : client.request<LimitsView>('GET', path));
    printResult(options.json, limits, () => `=== ${app} log limits\n\n${formatTable(limitRows(limits))}`);
  });
}

/** What is held, and what may be. */
export function limitRows(limits: LimitsView): string[][] {
  const { held, own } = limits;
  const rate = (value: number | null, show: (value: number) => string): string =>
    value === null ? 'any number' : `${show(value)} a second`;
  const stored = held.stored_bytes === null ? '' : `, ${formatBytes(held.stored_bytes)} where it is stored`;
  const rows: [string, string, LimitName][] = [
    ['Age:', formatAge(limits.age_s), 'age_s'],
    ['Bytes:', formatBytes(limits.bytes), 'bytes'],
    ['Lines:', formatNumber(limits.lines), 'lines'],
    ['Lines in:', rate(limits.lines_per_s, formatNumber), 'lines_per_s'],
    ['Bytes in:', rate(limits.bytes_per_s, formatBytes), 'bytes_per_s'],
  ];
  return [
    ['Held:', `${formatCount(held.lines, 'line')}, ${formatBytes(held.bytes)}${stored}`],
    ...rows.map(([name, value, limit]) => [name, own[limit] ? `${value} (this app’s own)` : value]),
  ];
}

/** What may be held, on one line: `7 days, 268 MB, 5,000,000 lines`. */
export function summarizeLimits(limits: LimitsView): string {
  const { age_s, bytes, lines, own } = limits;
  const text = `${formatAge(age_s)}, ${formatBytes(bytes)}, ${formatCount(lines, 'line')}`;
  return Object.values(own).includes(true) ? `${text} (this app’s own; see tailrace logs:limits)` : text;
}

/** What is asked for; undefined when nothing is to be changed. */
function readChange(options: Options): Record<string, number | 'none' | null> | undefined {
  const { lines, bytes, age, linesPerS, bytesPerS } = options;
  const change: Record<string, number | 'none' | null> = {};
  const set = (name: LimitName, text: string | undefined, read: (text: string) => number | 'none'): void => {
    if (text !== undefined) change[name] = text.toLowerCase() === 'default' ? null : read(text);
  };
  const rate =
    (kind: 'count' | 'bytes', name: string) =>
    (text: string): number | 'none' =>
      text.toLowerCase() === 'none' ? 'none' : readOption(kind, name, text);
  set('lines', lines, (text) => readOption('count', '--lines', text));
  set('bytes', bytes, (text) => readOption('bytes', '--bytes', text));
  set('age_s', age, readAge);
  set('lines_per_s', linesPerS, rate('count', '--lines-per-s'));
  set('bytes_per_s', bytesPerS, rate('bytes', '--bytes-per-s'));
  const isEmpty = Object.keys(change).length === 0;
  if (!options.default) return isEmpty ? undefined : change;
  if (!isEmpty)
    throw new TailraceError('bad_request', '--default clears all limits: give it without the others.');
  return { lines: null, bytes: null, age_s: null, lines_per_s: null, bytes_per_s: null };
}

function readAge(text: string): number {
  const ms = readOption('duration', '--age', text);
  if (ms % 1_000 === 0) return ms / 1_000;
  throw new TailraceError('bad_request', `--age is "${text}": it must be whole seconds.`);
}

function formatAge(seconds: number): string {
  if (seconds % DAY_S === 0) return seconds === DAY_S ? '1 day' : `${formatNumber(seconds / DAY_S)} days`;
  if (seconds % 3_600 === 0) return `${formatNumber(seconds / 3_600)} h`;
  return seconds % 60 === 0 ? `${formatNumber(seconds / 60)} min` : `${formatNumber(seconds)} s`;
}
