import { TailraceError } from '../../common/errors.ts';
import { parseQuery } from './query-parser.ts';
import { type Query, QuerySyntaxError } from './query-syntax.ts';

/**
 * Reads a search expression that somebody gave.
 * @param name of the parameter or option, for the error
 * @throws TailraceError `invalid_params` with a sentence that says where the fault is, and what to do.
 */
export function readQuery(text: string, name = 'q'): Query {
  try {
    return parseQuery(text);
  } catch (error) {
    if (!(error instanceof QuerySyntaxError)) throw error;
    throw new TailraceError('invalid_params', `${name}: ${error.message}`, { cause: error });
  }
}
