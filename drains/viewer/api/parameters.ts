/** Reads the parameters of a request: one that doesn't exist is refused, since what it was meant to say would be left out. */
import { TailraceError } from '../../../src/common/errors.ts';
import { explainTime, parseTime } from '../../../src/common/time-expression.ts';

/** As Fastify gives them: several of a name as a list. */
export type QueryParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parameters of one request, by name; whatever can't be read is a TailraceError `invalid_params` that names the parameter. */
export class Parameters {
  private readonly query: QueryParameters;

  /**
   * @param known names of those that there are
   * @throws TailraceError `invalid_params` for others
   */
  constructor(query: unknown, known: readonly string[]) {
    this.query = query as QueryParameters;
    const unknown = Object.keys(this.query).find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new TailraceError(
        'invalid_params',
        `There is no parameter ${JSON.stringify(unknown.slice(0, 40))} here: there ${known.length === 0 ? 'is none' : `are ${known.join(', ')}`}.`,
      );
  }

  /** Is it there, if only as `after=`? */
  has(name: string): boolean {
    return this.query[name] !== undefined;
  }

  /** Undefined when it isn't there, or empty. @throws TailraceError `invalid_params` when it is there twice */
  text(name: string): string | undefined {
    const value = this.query[name];
    if (Array.isArray(value)) throw new TailraceError('invalid_params', `${name} must be given once.`);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** All values of a parameter that may be given several times; none when it isn't there, or empty. */
  list(name: string): readonly string[] {
    const value = this.query[name];
    if (value === undefined || value === '') return [];
    return typeof value === 'string' ? [value] : value;
  }

  /** A whole number within bounds. */
  count(name: string, fallback: number, min: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const number = Number(text);
    if (!/^\d{1,12}$/.test(text) || number < min || number > max)
      throw new TailraceError(
        'invalid_params',
        `${name} must be a number from ${min} to ${max}, not ${JSON.stringify(text.slice(0, 40))}.`,
      );
    return number;
  }

  /** Milliseconds since 1970. */
  time(name: string, nowMs: number): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : readTime(name, text, nowMs);
  }

  /** False when it isn't there, true for `?name` alone. @throws TailraceError `invalid_params` for what is neither yes nor no */
  flag(name: string): boolean {
    const text = this.query[name];
    if (text === undefined || text === 'no' || text === 'false' || text === '0') return false;
    if (text === '' || text === 'yes' || text === 'true' || text === '1') return true;
    throw new TailraceError('invalid_params', `${name} must be yes or no.`);
  }

  /** One of the choices; the first when it isn't there. @throws TailraceError `invalid_params` */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const text = this.text(name) ?? choices[0];
    const found = choices.find((choice) => choice === text);
    if (found === undefined)
      throw new TailraceError('invalid_params', `${name} must be ${choices.join(' or ')}.`);
    return found;
  }
}

/** @throws TailraceError `invalid_params` with what to write */
export function readTime(name: string, text: string, nowMs: number): number {
  const ms = parseTime(text, nowMs);
  if (ms === undefined) throw new TailraceError('invalid_params', `${name}: ${explainTime(text)}`);
  return ms;
}
