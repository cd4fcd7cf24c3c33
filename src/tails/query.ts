import { TailraceError } from '../errors.ts';
import { Filter } from './filter.ts';
import type { FormatName } from './format.ts';
import { HISTORY_LINES_MAX, type TailOptions } from './session.ts';

/** What a reader may say in the address, or in the body of a log session. All values as strings. */
export interface TailQuery {
  readonly lines?: string;
  readonly tail?: string;
  readonly after?: string;
  readonly source?: string;
  readonly dyno?: string;
  readonly format?: string;
}

/**
 * Reads a tail's options.
 * @throws TailraceError `invalid_params` naming the value that can't be used.
 */
export function parseTailQuery(query: TailQuery, defaults: { tail: boolean }): TailOptions {
  return {
    lines: parseCount('lines', query.lines) ?? 100,
    after: parseCount('after', query.after),
    tail: parseFlag('tail', query.tail) ?? defaults.tail,
    filter: new Filter({ source: query.source || undefined, dyno: query.dyno || undefined }),
    format: parseFormat(query.format),
  };
}

function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || (name === 'lines' && value > HISTORY_LINES_MAX))
    throw new TailraceError(
      'invalid_params',
      name === 'lines'
        ? `lines must be a number from 0 to ${HISTORY_LINES_MAX}, not "${text}".`
        : `${name} must be a position that a tail gave out, not "${text}".`,
    );
  return value;
}

function parseFlag(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === 'true' || text === '1' || text === '') return true;
  if (text === 'false' || text === '0') return false;
  throw new TailraceError('invalid_params', `${name} must be true or false, not "${text}".`);
}

function parseFormat(text: string | undefined): FormatName {
  if (text === undefined || text === 'text') return 'text';
  if (text === 'json') return 'json';
  throw new TailraceError('invalid_params', `format must be text or json, not "${text}".`);
}
