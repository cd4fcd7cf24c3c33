import type { FastifyInstance } from 'fastify';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { explainDuration, parseDuration } from '../../common/time-expression.ts';
import type { StreamReader, StreamReaders } from '../../logs/store/stream-reader.ts';
import { countLines } from '../../logs/tails/line-counts.ts';
import { parsePosition, parseTailQuery } from '../../logs/tails/tail-query.ts';
import { needsScope } from '../access/authorize.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** Without a range: as much of the stream's end. */
const RANGE_MS_DEFAULT = 3_600_000;
/** Without a step, a range is cut into about so many buckets; with one, into no more than this. */
const BUCKETS_DEFAULT = 60;
const BUCKETS_MAX = 1_000;
const STEP_MS_MIN = 1_000;

/** The parameters: which lines, as a tail has them, and how they are counted. */
const PARAMETERS = [
  'since',
  'until',
  'range',
  'step',
  'around',
  'before',
  'source',
  'dyno',
  'level',
  'q',
] as const;
type LogCountQuery = { readonly [name in (typeof PARAMETERS)[number]]?: string };

/** What these routes work with. */
export interface LogCountRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly readers: StreamReaders;
}

/** `GET /apps/:app/log-counts`: how many lines there were over time, by level; docs/tails.md explains its parameters. */
export function logCountRoutes(
  api: FastifyInstance,
  { appRegistry, readers }: LogCountRouteDependencies,
): void {
  api.get<{ Params: { app: string }; Querystring: LogCountQuery }>(
    '/apps/:app/log-counts',
    { ...routeSchema('Count lines over time, by level', 'LogCounts'), ...needsScope('logs:read') },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { reader, close } = readers.open(app.id);
      try {
        return await countOf(reader, request.query, () => reply.raw.destroyed);
      } finally {
        close();
      }
    },
  );
}

async function countOf(reader: StreamReader, query: LogCountQuery, isCancelled: () => boolean) {
  const nowMs = Date.now();
  const { since, until, range, step, around, ...search } = query;
  assertKnown(query);
  // The times of a search count exactly, those of the range as whole buckets.
  const wanted = parseTailQuery(search, { tail: false }, nowMs);
  const bounds = parseTailQuery({ since, until }, { tail: false }, nowMs);
  const rangeMs = parseLength('range', range);
  const stepMs = parseLength('step', step);
  await reader.ready;
  const { newest, positions } = reader;
  const aroundMs = around ? await storedAtMs(reader, around) : undefined;
  const [fromMs, toMs] = rangeOf(bounds, rangeMs, aroundMs, nowMs);
  const buckets = bucketsOf(fromMs, toMs, stepMs);
  const endMs = buckets.sinceMs + buckets.stepMs * buckets.buckets;
  const [startSequence, endSequence] = await Promise.all([
    reader.sequenceAt(Math.max(buckets.sinceMs, wanted.sinceMs ?? 0)),
    reader.sequenceAt(Math.min(endMs, wanted.untilMs === undefined ? endMs : wanted.untilMs + 1)),
  ]);
  const wantedThrough = wanted.before === undefined ? newest : positions.sequenceOf(wanted.before - 1);
  const through = Math.min(newest, endSequence, wantedThrough);
  const counts = await countLines(
    reader,
    { ...buckets, after: startSequence, through, filter: wanted.filter },
    isCancelled,
  );
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    since: iso(buckets.sinceMs),
    until: iso(endMs),
    step_ms: buckets.stepMs,
    errors: counts.errors,
    warnings: counts.warnings,
    others: counts.others,
    counted_since: iso(counts.countedSinceMs),
    before: counts.before === undefined ? null : String(positions.of(counts.before)),
    position: String(positions.of(newest)),
    around: aroundMs === undefined ? null : iso(aroundMs),
    time: iso(nowMs),
  };
}

/** @throws TailraceError `invalid_params` for a parameter that there isn't: it would count something else than was meant. */
function assertKnown(query: LogCountQuery): void {
  for (const [name, value] of Object.entries(query)) {
    if (!PARAMETERS.some((known) => known === name))
      throw new TailraceError(
        'invalid_params',
        `There is no parameter ${name} here: use ${PARAMETERS.join(', ')}.`,
      );
    if (typeof value !== 'string') throw new TailraceError('invalid_params', `${name} must be given once.`);
  }
}

/** Between the two bounds; without them around a time, or up to now. */
function rangeOf(
  { sinceMs, untilMs }: { readonly sinceMs?: number; readonly untilMs?: number },
  rangeMs: number | undefined,
  aroundMs: number | undefined,
  nowMs: number,
): readonly [number, number] {
  const length = rangeMs ?? RANGE_MS_DEFAULT;
  const isOpen = sinceMs === undefined && untilMs === undefined;
  if (aroundMs !== undefined && isOpen) {
    const toMs = Math.min(nowMs, aroundMs + length / 2);
    return [toMs - length, toMs];
  }
  const toMs = untilMs ?? nowMs;
  const fromMs = sinceMs ?? toMs - length;
  if (fromMs >= toMs)
    throw new TailraceError('invalid_params', 'since must be before until: there is nothing between them.');
  return [fromMs, toMs];
}

/** Whole buckets, which begin at multiples of their length since 1970. */
function bucketsOf(
  fromMs: number,
  toMs: number,
  step: number | undefined,
): { readonly sinceMs: number; readonly stepMs: number; readonly buckets: number } {
  const automatic = Math.ceil((toMs - fromMs) / BUCKETS_DEFAULT / STEP_MS_MIN) * STEP_MS_MIN;
  const stepMs = Math.max(STEP_MS_MIN, step ?? automatic);
  const sinceMs = Math.floor(fromMs / stepMs) * stepMs;
  const buckets = Math.ceil((toMs - sinceMs) / stepMs);
  if (buckets <= BUCKETS_MAX) return { sinceMs, stepMs, buckets };
  throw new TailraceError(
    'invalid_params',
    `step is too short: it would give ${buckets} counts, and ${BUCKETS_MAX} are the most. Ask for a longer step or a shorter range.`,
  );
}

/** When the line at a position was stored; undefined when it is gone. */
async function storedAtMs(reader: StreamReader, position: string): Promise<number | undefined> {
  const sequence = reader.positions.sequenceOf(parsePosition('around', position) ?? 0);
  const [batch] = await reader.readBefore(sequence + 1);
  return batch && batch.last >= sequence ? batch.storedAtMs : undefined;
}

function parseLength(name: 'range' | 'step', text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new TailraceError('invalid_params', `${name}: ${explainDuration(text)}`);
}
