import type { RecordCursor } from '../syslog/batch.ts';
import { LEVEL_SEARCHED_MAX, LOG_LEVELS, type LogLevel, messageLevel } from '../syslog/level.ts';
import { MessageText } from './message-text.ts';
import { SearchQuery } from './search-query.ts';

const DOT = 0x2e;
const ZERO = 0x30;
const GREATER_THAN = 0x3e;

/** Which lines a reader wants; what is left out matches everything. */
export interface LineFilterOptions {
  /** The source's name, exactly; several with commas. */
  readonly source?: string;
  /** A dyno (`web.1`), or all dynos of a process type (`web`); several with commas. */
  readonly dyno?: string;
  /** Lines at least as serious as this. */
  readonly level?: LogLevel;
  /** See {@link SearchQuery}. */
  readonly q?: string;
}

/** Decides line by line, on bytes as far as it can. */
export class LineFilter {
  /** Equal for filters that decide alike: results can be shared under it. */
  readonly key: string;
  /** Everything matches. */
  readonly matchesAll: boolean;
  private readonly sources: readonly Uint8Array[];
  private readonly dynos: readonly Uint8Array[];
  /** The index in {@link LOG_LEVELS} of the least serious level that matches. */
  private readonly levelIndex: number;
  private readonly search: SearchQuery | undefined;
  private readonly message = new MessageText();

  /** @throws TailraceError `invalid_params` for a `q` that can't be read. */
  constructor(options: LineFilterOptions = {}) {
    this.sources = splitNames(options.source);
    this.dynos = splitNames(options.dyno);
    this.levelIndex = options.level === undefined ? LOG_LEVELS.length - 1 : LOG_LEVELS.indexOf(options.level);
    const search = new SearchQuery(options.q ?? '');
    this.search = search.empty ? undefined : search;
    this.key = JSON.stringify([options.source, options.dyno, this.levelIndex, options.q]);
    this.matchesAll =
      this.sources.length + this.dynos.length === 0 &&
      this.levelIndex === LOG_LEVELS.length - 1 &&
      !this.search;
  }

  /** False when no line of a batch can match; true says nothing. */
  mayMatch(batch: Buffer): boolean {
    return this.search?.mayMatch(batch) ?? true;
  }

  /** Does the line under the cursor match? */
  matches(line: RecordCursor, bytes: Buffer): boolean {
    const { sources, dynos, search, message } = this;
    if (sources.length + dynos.length > 0) {
      const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
      if (sources.length > 0 && !sources.some((name) => isEqual(bytes, line.sourceStart, sourceEnd, name)))
        return false;
      const end = line.msgidStart - 1;
      if (dynos.length > 0 && !dynos.some((name) => matchesDyno(bytes, sourceEnd + 1, end, name)))
        return false;
    }
    if (search) {
      message.setLine(line, bytes);
      if (!search.matches(message)) return false;
    }
    return (
      this.levelIndex === LOG_LEVELS.length - 1 ||
      LOG_LEVELS.indexOf(lineLevel(line, bytes)) <= this.levelIndex
    );
  }
}

/** The level of the line under the cursor; see `levelOf`. */
export function lineLevel(line: RecordCursor, bytes: Buffer): LogLevel {
  const severity = linePriority(line, bytes) & 7;
  if (severity <= 3) return 'error';
  if (severity === 4) return 'warn';
  if (severity === 7) return 'debug';
  const end = Math.min(line.textEnd, line.messageStart + LEVEL_SEARCHED_MAX);
  return messageLevel(bytes.toString('latin1', line.messageStart, end)) ?? 'info';
}

/** PRIVAL of the line under the cursor. */
export function linePriority(line: RecordCursor, bytes: Uint8Array): number {
  let i = line.textStart + 1;
  let priority = bytes[i] - ZERO;
  while (bytes[++i] !== GREATER_THAN) priority = priority * 10 + bytes[i] - ZERO;
  return priority;
}

/** Where the header field that starts at `start` ends. */
export function headerFieldEnd(bytes: Uint8Array, start: number, limit: number): number {
  let i = start;
  while (i < limit && bytes[i] !== 0x20) i++;
  return i;
}

function splitNames(list: string | undefined): Uint8Array[] {
  if (list === undefined) return [];
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name));
}

function matchesDyno(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (isEqual(bytes, start, end, wanted)) return true;
  const prefixEnd = start + wanted.length;
  return prefixEnd < end && bytes[prefixEnd] === DOT && isEqual(bytes, start, prefixEnd, wanted);
}

function isEqual(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
