/** Lines as programs, devices and libraries spell them (test/fixtures/syslog), and the fields that they are read as. */
import { readdirSync, readFileSync } from 'node:fs';
import { formatTimestamp } from '../../../src/logs/syslog/timestamp.ts';

const FOLDER = new URL('../../fixtures/syslog/', import.meta.url);

export interface Spelling {
  readonly name: string;
  readonly line: string;
  readonly priority: number;
  /**
   * As it is stored; null for the time of arrival. Behind `local:` it is one of this machine's zone; without a year it is of the year
   * that makes it nearest.
   */
  readonly time: string | null;
  readonly host: string;
  readonly program: string;
  readonly pid: string;
  readonly message: string;
}

/** All of them, by file. */
export function readSpellings(): Spelling[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .flatMap((file): Spelling[] => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));
}

/** The time that a line is stored with: the text, or what a date has to be equal to; undefined for the time of arrival. */
export function storedTime({ time }: Spelling, nowMs: number): string | undefined {
  if (time === null) return undefined;
  const match = /^(local:)?(\d{4}-)?(\d\d-\d\dT\d\d:\d\d:\d\d)\.?(\d*)(.*)$/.exec(time);
  if (!match || (match[1] === undefined && match[2] !== undefined)) return time;
  const [, local, year, rest, digits, zone] = match;
  const at = (of: number): number => Date.parse(`${of}-${rest}${local ? '' : zone}`);
  let of = year ? Number.parseInt(year, 10) : new Date(nowMs).getFullYear();
  if (!year && at(of) > nowMs + 31 * 86_400_000) of--;
  return formatTimestamp(at(of)).replace('.000000', `.${digits.padEnd(6, '0')}`);
}

/** Are these the same moment, to the microsecond? */
export function isSameTime(a: string, b: string): boolean {
  const digits = (text: string): string => (/\.(\d+)/.exec(text)?.[1] ?? '').padEnd(9, '0');
  return Math.floor(Date.parse(a) / 1_000) === Math.floor(Date.parse(b) / 1_000) && digits(a) === digits(b);
}
