/** Lists in pages, by the `Range` header of the Platform API: `version ]3..; max=10, order=desc`. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../common/errors.ts';

const PAGE_SIZE_MAX = 1_000;
const PAGE_SIZE_DEFAULT = 200;

interface PageRange {
  readonly field: string;
  readonly from: string;
  readonly fromExclusive: boolean;
  readonly to: string;
  readonly max: number;
  readonly descending: boolean;
}

/**
 * One page of a list: sets the status (206 when there is more, else 200), `Accept-Ranges`, `Content-Range` and
 * `Next-Range`.
 * @param fields fields to sort and select by; the first is the default
 * @throws TailraceError `requested_range_not_satisfiable` for a range that can't be read
 */
export function paginate<T extends object>(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly T[],
  fields: readonly (keyof T & string)[],
): T[] {
  const header = request.headers.range;
  const range = parseRangeHeader(typeof header === 'string' ? header : '', fields);
  const field = fields.find((name) => name === range.field) ?? fields[0];
  const value = (item: T): unknown => item[field];
  const isNumeric = items.some((item) => typeof value(item) === 'number');
  if (isNumeric && [range.from, range.to].some((bound) => Number.isNaN(Number(bound))))
    throw rangeError(String(header), fields);
  const sorted = [...items].sort((a, b) => compare(value(a), value(b)));
  if (range.descending) sorted.reverse();
  const direction = range.descending ? -1 : 1;
  const inRange = sorted.filter((item) => {
    const fromDistance = direction * compare(value(item), range.from);
    if (range.from !== '' && (range.fromExclusive ? fromDistance <= 0 : fromDistance < 0)) return false;
    return range.to === '' || direction * compare(value(item), range.to) <= 0;
  });
  // The next page begins behind a value: what has the same one is on this page.
  let end = Math.min(range.max, inRange.length);
  while (end > 0 && end < inRange.length && value(inRange[end]) === value(inRange[end - 1])) end += 1;
  const page = inRange.slice(0, end);
  reply.header('Accept-Ranges', fields.join(', '));
  if (page.length > 0) {
    const last = value(page[page.length - 1]);
    reply.header('Content-Range', `${field} ${value(page[0])}..${last}`);
    if (inRange.length > page.length) {
      const order = range.descending ? ', order=desc' : '';
      reply.code(206).header('Next-Range', `${field} ]${last}..${range.to}; max=${range.max}${order}`);
    }
  }
  return page;
}

function parseRangeHeader(header: string, fields: readonly string[]): PageRange {
  const defaultRange = {
    field: fields[0],
    from: '',
    fromExclusive: false,
    to: '',
    max: PAGE_SIZE_DEFAULT,
    descending: false,
  };
  if (header === '' || header.startsWith('bytes=')) return defaultRange;
  const parts = splitRangeHeader(header);
  if (!parts || !fields.includes(parts.field)) throw rangeError(header, fields);
  const { field, fromExclusive, from, to, parameters } = parts;
  const options = new Map(
    parameters
      .split(/[,;]\s*/)
      .filter((part) => part !== '')
      .map((part): [string, string] => [part.split('=')[0].trim(), (part.split('=')[1] ?? '').trim()]),
  );
  const max = Number(options.get('max') ?? PAGE_SIZE_DEFAULT);
  if (!Number.isInteger(max) || max < 1 || max > PAGE_SIZE_MAX)
    throw new TailraceError(
      'requested_range_not_satisfiable',
      `A page holds 1 to ${PAGE_SIZE_MAX} entries, not ${options.get('max')}.`,
    );
  return {
    field,
    from,
    fromExclusive,
    to,
    max,
    descending: options.get('order') === 'desc',
  };
}

function rangeError(header: string, fields: readonly string[]): TailraceError {
  return new TailraceError(
    'requested_range_not_satisfiable',
    `The range "${header}" can't be had: write for example "${fields[0]} ..; max=10, order=desc", by ${fields.join(' or ')}.`,
  );
}

/** `field ]from..to[; parameters`, of which everything behind the field may be missing; undefined when it is something else. */
function splitRangeHeader(
  header: string,
): (Omit<PageRange, 'max' | 'descending'> & { readonly parameters: string }) | undefined {
  const semicolon = header.indexOf(';');
  const [range, parameters] =
    semicolon === -1 ? [header, ''] : [header.slice(0, semicolon), header.slice(semicolon + 1)];
  const [field, bounds = '..', ...more] = range.trim().split(/\s+/);
  const dots = bounds.indexOf('..');
  if (more.length > 0 || dots === -1) return undefined;
  const fromExclusive = bounds.startsWith(']');
  const from = bounds.slice(fromExclusive ? 1 : 0, dots);
  const to = bounds
    .slice(dots + 2)
    .replace(/^\]/, '')
    .replace(/\[$/, '');
  return { field, fromExclusive, from, to, parameters };
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number') return a - Number(b);
  const [first, second] = [String(a), String(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}
