import type { RecordCursor } from './batch.ts';
import { PROCID_BYTES_MAX, storedHeaderField } from './fields/header-field.ts';
import { LOG_LEVELS, type LogLevel } from './level.ts';
import { headerFieldEnd, lineLevel } from './record.ts';

const DOT = 0x2e;

/** Decides on a line by what is in it. */
export interface LineMatcher {
  /** Equal for matchers that decide alike. */
  readonly key: string;
  /** Plain data that another thread can make it of again. */
  readonly definition: unknown;
  /** Does the line under the cursor match? Of a batch that {@link mayMatch} was asked for, lines have to come in their order. */
  matches(line: RecordCursor, bytes: Buffer): boolean;
  /** False when no line of a batch can match; true says nothing. */
  mayMatch(batch: Buffer): boolean;
  /**
   * No line of the batch that {@link mayMatch} was asked for matches that begins at `from` or behind it and ends before the place that is
   * returned, infinite for none. Places have to be asked for in the order of the lines.
   */
  nextCandidate(from: number): number;
}

/** Which lines somebody wants; what is left out matches everything. */
export interface LineFilterOptions {
  /** Names of sources, exactly. */
  readonly sources?: readonly string[];
  /** Dynos (`web.1`), or process types (`web`) for all of their dynos. */
  readonly dynos?: readonly string[];
  /** Lines at least as serious as this. */
  readonly level?: LogLevel;
  readonly matcher?: LineMatcher;
  /** Lines come with the events that they are of (stack traces), also where only one of them matches by its level or its text. Default: no. */
  readonly wholeEvents?: boolean;
  /** How the level of a line is told; left out: {@link lineLevel}, which any other has to equal. */
  readonly levelOf?: typeof lineLevel;
}

/** Which lines a tail or a drain gets. Decides line by line, on bytes as far as it can. */
export class LineFilter {
  /** Equal for filters that decide alike: results can be shared under it. */
  readonly key: string;
  /** What it was made of. */
  readonly options: LineFilterOptions;
  /** Everything matches. */
  readonly matchesAll: boolean;
  /** Do lines that don't match come with others of the same event? */
  readonly wholeEvents: boolean;
  private readonly sources: readonly Uint8Array[] | undefined;
  private readonly dynos: readonly Uint8Array[] | undefined;
  /** The index in {@link LOG_LEVELS} of the least serious level that matches. */
  private readonly levelIndex: number;
  private readonly matcher: LineMatcher | undefined;
  private readonly levelOf: typeof lineLevel;

  constructor(options: LineFilterOptions = {}) {
    const { sources, dynos, level, matcher, wholeEvents = false } = options;
    this.options = options;
    this.sources = sources?.map((name) => Buffer.from(name));
    // As they are stored, so that a name is found by what its sender calls it.
    this.dynos = dynos?.map((name) => storedHeaderField(name, PROCID_BYTES_MAX));
    this.levelIndex = level === undefined ? LOG_LEVELS.length - 1 : LOG_LEVELS.indexOf(level);
    this.matcher = matcher;
    this.levelOf = options.levelOf ?? lineLevel;
    // By source and dyno alone they are whole anyway.
    this.wholeEvents = wholeEvents && (matcher !== undefined || this.levelIndex !== LOG_LEVELS.length - 1);
    this.key = JSON.stringify([sources, dynos, this.levelIndex, matcher?.key, this.wholeEvents]);
    this.matchesAll = !sources && !dynos && this.levelIndex === LOG_LEVELS.length - 1 && !matcher;
  }

  /** False when no line of a batch can match; true says nothing. */
  mayMatch(batch: Buffer): boolean {
    return this.matcher?.mayMatch(batch) ?? true;
  }

  /** See {@link LineMatcher.nextCandidate}. */
  nextCandidate(from: number): number {
    return this.matcher?.nextCandidate(from) ?? from;
  }

  /** Does the line under the cursor match? */
  matches(line: RecordCursor, bytes: Buffer): boolean {
    const { sources, dynos, matcher } = this;
    if (sources || dynos) {
      const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
      if (sources && !sources.some((name) => isEqual(bytes, line.sourceStart, sourceEnd, name))) return false;
      const end = line.msgidStart - 1;
      if (dynos && !dynos.some((name) => matchesDyno(bytes, sourceEnd + 1, end, name))) return false;
    }
    if (matcher && !matcher.matches(line, bytes)) return false;
    return (
      this.levelIndex === LOG_LEVELS.length - 1 ||
      LOG_LEVELS.indexOf(this.levelOf(line, bytes)) <= this.levelIndex
    );
  }
}

/** Is it the wanted dyno, or one of the wanted process type? A type's dynos have a dot and a number behind its name. */
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
