/** A line as the page has it. */
import type { EventState } from '../../logs/syslog/event-lines.ts';

/** How serious a line is, from the most serious on; the server decides. */
export type LineLevel = 'error' | 'warn' | 'info' | 'debug';
export const LINE_LEVELS: readonly LineLevel[] = ['error', 'warn', 'info', 'debug'];

/** What the server sends for a line (`format=json`). */
export interface LineJson {
  readonly position: string;
  readonly timestamp: string;
  readonly facility: number;
  readonly severity: number;
  readonly level?: LineLevel;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

export interface Line extends LineJson {
  /** Orders lines: the position as a number, or where the line stands in a list over several streams. */
  readonly at: number;
  /** Milliseconds since 1970; NaN when nobody can read its timestamp. */
  readonly ms: number;
  readonly level: LineLevel;
  /** Whose line it is, where lines of several streams stand in one list. */
  readonly streamName?: string;
  /** The id of the line's stream, where names don't say it. */
  readonly stream?: string;
  /** The lines that it is made of, when a sender has sent an event (a stack trace) line by line; without this, it is one line. */
  readonly parts?: readonly Line[];
  /** What decides whether the next line of its sender goes on with it. */
  readonly event?: EventState;
}

/** Severities of RFC 5424 section 6.2.1 by number. */
export const SEVERITIES = [
  'emergency',
  'alert',
  'critical',
  'error',
  'warning',
  'notice',
  'informational',
  'debug',
] as const;

/** Reads one line of the server's JSON. */
export function parseLine(json: LineJson): Line {
  return {
    ...json,
    at: Number(json.position),
    ms: Date.parse(json.timestamp),
    level: json.level ?? 'info',
  };
}
