/** Counts over time, values of a field, names of fields. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { ViewerParts } from '../../parts.ts';
import type { SearchLimits } from '../../store/contract.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { limitsFor } from './request-limits.ts';
import { readSelection, SELECTION_PARAMETERS } from './selection.ts';

const DAY_MS = 86_400_000;
const BUCKETS_MAX = 5_000;
/** When none is asked for: one that people read, so that there are about so many buckets. */
const BUCKETS_WANTED = 100;
const STEPS_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
];
const VALUES_DEFAULT = 20;
const VALUES_MAX = 1_000;
const FIELD = /^[\w.@$#/[\]-]{1,200}$/;

export function registerSummaryRoutes(
  server: FastifyInstance,
  { store, groups, settings }: ViewerParts,
): void {
  server.get('/api/counts', async (request, reply) => {
    const nowMs = Date.now();
    const parameters = new Parameters(request.query, [...SELECTION_PARAMETERS, 'step']);
    const { selection } = readSelection(parameters, groups, grantOf(request), {
      nowMs,
      defaultSpanMs: DAY_MS,
    });
    const { toMs = nowMs, fromMs = toMs - DAY_MS } = selection;
    const stepMs = 1_000 * parameters.count('step', stepFor(toMs - fromMs), 1, 100_000_000);
    if ((toMs - fromMs) / stepMs > BUCKETS_MAX)
      throw new TailraceError(
        'invalid_params',
        `step must be at least ${Math.ceil((toMs - fromMs) / BUCKETS_MAX / 1_000)}: there may be ${BUCKETS_MAX} buckets.`,
      );
    const { limits, partial } = countingLimits(reply, settings.searchMs);
    const buckets = await store.counts({ ...selection, toMs, stepMs }, limits);
    return {
      step: stepMs / 1_000,
      from: fromMs,
      to: toMs,
      buckets: buckets.map(({ startMs, error, warning, other }) => ({
        start: startMs,
        error,
        warning,
        other,
      })),
      ...partial(),
    };
  });

  server.get('/api/values', async (request, reply) => {
    const nowMs = Date.now();
    const parameters = new Parameters(request.query, [...SELECTION_PARAMETERS, 'field', 'limit']);
    const field = parameters.text('field') ?? '';
    if (!FIELD.test(field))
      throw new TailraceError('invalid_params', 'field must be the name of one, such as status or user.id.');
    const { selection } = readSelection(parameters, groups, grantOf(request), {
      nowMs,
      defaultSpanMs: DAY_MS,
    });
    const limit = parameters.count('limit', VALUES_DEFAULT, 1, VALUES_MAX);
    const { limits, partial } = countingLimits(reply, settings.searchMs);
    const { values, otherCount, missingCount } = await store.fieldValues(
      { ...selection, field, limit },
      limits,
    );
    return { values, other: otherCount, missing: missingCount, ...partial() };
  });

  server.get('/api/fields', async (request, reply) => {
    const nowMs = Date.now();
    const parameters = new Parameters(request.query, SELECTION_PARAMETERS);
    const { selection } = readSelection(parameters, groups, grantOf(request), {
      nowMs,
      defaultSpanMs: DAY_MS,
    });
    return { fields: await store.fieldNames(selection, limitsFor(reply, settings.searchMs)) };
  });
}

/** Who asks is told when the time was up before all lines were counted. */
function countingLimits(
  reply: FastifyReply,
  timeoutMs: number,
): {
  readonly limits: SearchLimits;
  readonly partial: () => { readonly partial?: true };
} {
  let isUp = false;
  const onTimeout = (): void => {
    isUp = true;
  };
  return {
    limits: { ...limitsFor(reply, timeoutMs), onTimeout },
    partial: () => (isUp ? { partial: true } : {}),
  };
}

/** Seconds. */
function stepFor(spanMs: number): number {
  const wanted = spanMs / 1_000 / BUCKETS_WANTED;
  return STEPS_SECONDS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}
