import { TailraceError } from '../../common/errors.ts';
import { explainTime, parseTime } from '../../common/time-expression.ts';
import { type PreparedQuery, prepareQuery } from '../query/query-matcher.ts';
import { LOG_LEVELS, type LogLevel, levelByName } from '../syslog/level.ts';
import { LineFilter } from '../syslog/line-filter.ts';
import type { TailFormat } from './output/line-format.ts';
import { TAIL_LINES_MAX, type TailSessionOptions } from './tail-session.ts';

/** Stored lines that a reader gets when the query has no range. */
const LINES_DEFAULT = 100;
const DAY_MS = 86_400_000;

/**
 * The parameters of a tail, in the query string or in the body of a log session, the same for WebSocket, server-sent events and plain
 * text; all values are strings. docs/tails.md explains them.
 */
const TAIL_PARAMETERS = [
  'lines',
  'first',
  'tail',
  'after',
  'before',
  'since',
  'until',
  'source',
  'dyno',
  'level',
  'q',
  'events',
  'format',
] as const;
export type TailParameter = (typeof TAIL_PARAMETERS)[number];
export type TailQuery = { readonly [name in TailParameter]?: string };

/** A parsed query: a range of the stream, and its format. */
export interface TailRequest extends TailSessionOptions {
  readonly format: TailFormat;
}

/**
 * Parses a tail's parameters.
 * @throws TailraceError `invalid_params` naming the value that can't be used.
 */
export function parseTailQuery(
  query: TailQuery,
  defaults: { tail: boolean },
  nowMs: number = Date.now(),
): TailRequest {
  const unknown = Object.keys(query).find((name) => !TAIL_PARAMETERS.some((known) => known === name));
  if (unknown !== undefined)
    throw new TailraceError(
      'invalid_params',
      `A tail has no parameter ${unknown}: it has ${TAIL_PARAMETERS.join(', ')}.`,
    );
  for (const name of TAIL_PARAMETERS)
    if (query[name] !== undefined && typeof query[name] !== 'string')
      throw new TailraceError('invalid_params', `${name} must be given once.`);
  const tail = parseBoolean('tail', query.tail) ?? defaults.tail;
  const search = prepareQuery(query.q ?? '');
  // Who goes on where a connection broke has had what was before: `since=10m` would now begin later, and leave out what came meanwhile.
  const resumes = tail && query.after !== undefined && query.after !== '';
  const since = (text: string | undefined): number | undefined =>
    resumes && dependsOnNow(text, nowMs) ? undefined : parseTimeParameter('since', text, nowMs);
  const options: TailRequest = {
    lines: parseLines('lines', query.lines),
    first: parseLines('first', query.first),
    after: parsePosition('after', query.after),
    before: parsePosition('before', query.before),
    sinceMs: latestBound(since(query.since), since(search.since)),
    untilMs: earliestBound(
      parseTimeParameter('until', query.until, nowMs),
      parseTimeParameter('until', search.until, nowMs),
    ),
    tail,
    filter: parseFilter(query, search),
    format: parseFormat(query.format),
  };
  const { lines, first, after, before, sinceMs, untilMs } = options;
  if (tail && (before !== undefined || untilMs !== undefined))
    throw new TailraceError(
      'invalid_params',
      `${before === undefined ? 'until' : 'before'} ends before what is still to come: it can't be used with tail.`,
    );
  if (lines !== undefined && first !== undefined)
    throw new TailraceError(
      'invalid_params',
      'lines asks for the last lines, first for the first ones: use one.',
    );
  if (lines !== undefined || first !== undefined || after !== undefined || sinceMs !== undefined)
    return options;
  return { ...options, lines: LINES_DEFAULT };
}

/** Of two beginnings the one that leaves fewer lines; undefined for no bound. */
export function latestBound(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** The same of two ends. */
export function earliestBound(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function parseFilter({ source, dyno, level, events }: TailQuery, { matcher }: PreparedQuery): LineFilter {
  return new LineFilter({
    sources: splitNames(source),
    dynos: splitNames(dyno),
    level: parseLevel(level),
    matcher,
    wholeEvents: parseBoolean('events', events) ?? true,
  });
}

/** Names with commas between them; undefined when there are none. */
function splitNames(list = ''): string[] | undefined {
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.length > 0 ? names : undefined;
}

function parseLines(name: 'lines' | 'first', text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,9}$/.test(text) || Number(text) > TAIL_LINES_MAX)
    throw new TailraceError(
      'invalid_params',
      `${name} must be a number from 0 to ${TAIL_LINES_MAX}, not "${text}".`,
    );
  return Number(text);
}

/**
 * A position; undefined for none.
 * @throws TailraceError `invalid_params` naming the parameter, when no tail gives such a one out.
 */
export function parsePosition(
  name: 'after' | 'before' | 'around',
  text: string | undefined,
): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new TailraceError(
      'invalid_params',
      `${name} must be a position that a tail gave out, not "${text}".`,
    );
  return Number(text);
}

function parseTimeParameter(
  name: 'since' | 'until',
  text: string | undefined,
  nowMs: number,
): number | undefined {
  if (text === undefined || text === '') return undefined;
  const ms = parseTime(text, nowMs);
  if (ms !== undefined) return ms;
  throw new TailraceError('invalid_params', `${name}: ${explainTime(text)}`);
}

/** Is it another time tomorrow (10m, 03:00, yesterday, now)? */
function dependsOnNow(text: string | undefined, nowMs: number): boolean {
  if (!text) return false;
  const ms = parseTime(text, nowMs);
  return ms !== undefined && ms !== parseTime(text, nowMs + DAY_MS);
}

function parseLevel(text: string | undefined): LogLevel | undefined {
  if (text === undefined || text === '') return undefined;
  const level = levelByName(text);
  if (level) return level;
  throw new TailraceError('invalid_params', `level must be one of ${LOG_LEVELS.join(', ')}, not "${text}".`);
}

function parseBoolean(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === 'true' || text === '1' || text === '') return true;
  if (text === 'false' || text === '0') return false;
  throw new TailraceError('invalid_params', `${name} must be true or false, not "${text}".`);
}

function parseFormat(text: string | undefined): TailFormat {
  if (text === undefined || text === '' || text === 'text') return 'text';
  if (text === 'json') return 'json';
  throw new TailraceError('invalid_params', `format must be text or json, not "${text}".`);
}
