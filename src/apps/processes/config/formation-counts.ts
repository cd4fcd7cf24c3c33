/** A `web=2,worker=1` that can't be used. */
export class FormationError extends Error {
  override readonly name = 'FormationError';
}

/** More dynos of one type on one machine are a typing error. */
const DYNO_COUNT_MAX = 100;

/** Heroku's release phase: a command of the deployment, never a running dyno unless asked for by name. */
const RELEASE_PHASE = 'release';

/** One dyno of each process type, none of `release`. */
export function defaultCounts(types: readonly string[]): Record<string, number> {
  return Object.fromEntries(types.map((type) => [type, type === RELEASE_PHASE ? 0 : 1]));
}

/**
 * Reads foreman's `-m`: `web=2,worker=1`; `all=1` sets every type that isn't named. As with foreman, types that are
 * neither named nor covered by `all` get no dyno.
 *
 * @param types the process types of the Procfile
 * @returns a count for every one of them
 * @throws {FormationError} unknown types, unreadable or absurd numbers
 */
export function parseFormation(text: string, types: readonly string[]): Record<string, number> {
  const named = new Map<string, number>();
  for (const part of text.split(/[,\s]+/).filter((word) => word !== '')) {
    const [, type, digits] = /^([A-Za-z0-9_-]+)=(.*)$/.exec(part) ?? [];
    if (type === undefined)
      throw new FormationError(`"${part}" is not TYPE=NUMBER; write for example web=2,worker=1.`);
    if (type !== 'all' && !types.includes(type)) {
      throw new FormationError(`There is no process type "${type}"; the Procfile has ${types.join(', ')}.`);
    }
    if (named.has(type)) throw new FormationError(`"${type}" is given twice; keep one of them.`);
    named.set(type, parseDynoCount(type, digits));
  }
  if (named.size === 0) throw new FormationError('The formation is empty; write for example web=2,worker=1.');
  const all = named.get('all') ?? 0;
  return Object.fromEntries(
    types.map((type) => [type, named.get(type) ?? (type === RELEASE_PHASE ? 0 : all)]),
  );
}

/**
 * @param quantity a number, or what somebody typed
 * @throws {FormationError} if it isn't a whole number from 0 to 100
 */
export function parseDynoCount(type: string, quantity: number | string): number {
  const count = typeof quantity === 'string' && !/^\d{1,9}$/.test(quantity) ? Number.NaN : Number(quantity);
  if (Number.isInteger(count) && count >= 0 && count <= DYNO_COUNT_MAX) return count;
  throw new FormationError(
    `${type}=${quantity} is not possible; choose a whole number from 0 to ${DYNO_COUNT_MAX}.`,
  );
}
