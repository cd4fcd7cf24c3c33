/** Which lines a drain gets: by source, dyno, level, patterns, and by chance. */
import { RE2JS } from 're2js';
import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import { LEVEL_SEARCHED_MAX, LOG_LEVELS, type LogLevel, logLevelOf } from '../../syslog/level.ts';
import type { DrainOptions } from '../options/drain-options.ts';

/** Decides line by line; the line is under the cursor. */
export type LinePredicate = (line: RecordCursor, bytes: Buffer, sequence: Sequence) => boolean;

/** The selection that a drain's options ask for; undefined when it gets every line. */
export function createDrainFilter(options: DrainOptions): LinePredicate | undefined {
  const { sources, dynos, level, match, exclude, sample } = options;
  const predicates: LinePredicate[] = [];
  if (level) {
    const leastSevere = LOG_LEVELS.indexOf(level);
    predicates.push((line, bytes) => LOG_LEVELS.indexOf(lineLevel(line, bytes)) <= leastSevere);
  }
  if (sources) {
    const wanted = new Set(sources);
    predicates.push((line, bytes) => wanted.has(recordSource(line, bytes)));
  }
  if (dynos) {
    const wanted = new Set(dynos);
    predicates.push((line, bytes) => {
      const dyno = recordDyno(line, bytes);
      // `web` stands for web.1, web.2 …: a prefix at the dot.
      return wanted.has(dyno) || wanted.has(dyno.slice(0, dyno.indexOf('.')));
    });
  }
  if (sample !== undefined) predicates.push((_line, _bytes, sequence) => sampleValue(sequence) < sample);
  if (match) predicates.push(matchesAny(match));
  if (exclude) {
    const isExcluded = matchesAny(exclude);
    predicates.push((line, bytes, sequence) => !isExcluded(line, bytes, sequence));
  }
  if (predicates.length === 0) return undefined;
  return (line, bytes, sequence) => predicates.every((isWanted) => isWanted(line, bytes, sequence));
}

/** PRIVAL: facility * 8 + severity. */
export function recordPriority(line: RecordCursor, bytes: Buffer): number {
  let priority = 0;
  for (let i = line.textStart + 1; bytes[i] !== 0x3e; i++) priority = priority * 10 + bytes[i] - 0x30;
  return priority;
}

/** How serious a line is: its severity says so, or, where every line has the same, its message. */
function lineLevel(line: RecordCursor, bytes: Buffer): LogLevel {
  const end = Math.min(line.textEnd, line.messageStart + LEVEL_SEARCHED_MAX);
  return logLevelOf(recordPriority(line, bytes) & 7, bytes.toString('latin1', line.messageStart, end));
}

export function recordSource(line: RecordCursor, bytes: Buffer): string {
  return bytes.toString('utf8', line.sourceStart, bytes.indexOf(0x20, line.sourceStart));
}

export function recordDyno(line: RecordCursor, bytes: Buffer): string {
  return bytes.toString('utf8', bytes.indexOf(0x20, line.sourceStart) + 1, line.msgidStart - 1);
}

/** One pattern made of all: the engine goes over a message once. */
function matchesAny(patterns: readonly string[]): LinePredicate {
  const pattern = RE2JS.compile(patterns.map((one) => `(?:${one})`).join('|'));
  return (line, bytes) => pattern.matcher(bytes.toString('utf8', line.messageStart, line.textEnd)).find();
}

/** A number from 0 to 1 for a line, always the same one: a repeated request has to have the same lines. */
function sampleValue(sequence: Sequence): number {
  let hash = (sequence ^ (sequence / 0x1_0000_0000)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
