/** `/api/groups/ID/retention`: how long and how much a group keeps. */

import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import { explainDuration, parseDuration } from '../../../../src/common/time-expression.ts';
import type { Keeper } from '../../archive/keeper.ts';
import { effectivePolicy, type RetentionPolicy } from '../../archive/retention.ts';
import type { GroupRetention } from '../../archive/retention-records.ts';
import type { ViewerParts } from '../../parts.ts';
import { readBody } from '../body.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';

export interface RetentionRouteParts extends ViewerParts {
  readonly retention: GroupRetention;
  readonly keeper: Keeper;
}

const DAY_MS = 86_400_000;

export function registerRetentionRoutes(server: FastifyInstance, parts: RetentionRouteParts): void {
  const { groups, retention, keeper, settings, log } = parts;

  server.get<{ Params: { group: string } }>('/api/groups/:group/retention', async (request) => {
    new Parameters(request.query, []);
    const { group } = request.params;
    grantOf(request).require(group, 'reader');
    groups.get(group);
    return await view(group);
  });

  server.put<{ Params: { group: string } }>('/api/groups/:group/retention', async (request) => {
    const { group } = request.params;
    grantOf(request).require(group, 'owner');
    groups.get(group);
    const { keep, bytes } = readBody(request, { keep: 'string?', bytes: 'number?' });
    await retention.set(group, { ageMs: readAge(keep), bytes: readBytes(bytes) });
    keeper.run().catch((error: unknown) => log.warn({ err: error }, "retention can't be applied"));
    return await view(group);
  });

  async function view(group: string): Promise<object> {
    const own = await retention.get(group);
    const { keepMs, keepBytes } = settings;
    const used = effectivePolicy(own, { ageMs: keepMs, bytes: keepBytes });
    return { ...policyView(own ?? {}), effective: policyView(used) };
  }
}

function policyView({ ageMs, bytes }: RetentionPolicy): object {
  return { keep: ageMs === undefined ? null : durationText(ageMs), bytes: bytes ?? null };
}

function durationText(ms: number): string {
  return ms % DAY_MS === 0 ? `${ms / DAY_MS}d` : `${Math.round(ms / 1_000)}s`;
}

function readAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0)
    throw new TailraceError('invalid_params', `keep: ${explainDuration(text)}`);
  return ms;
}

function readBytes(bytes: number | undefined): number | undefined {
  if (bytes === undefined || (Number.isSafeInteger(bytes) && bytes > 0)) return bytes;
  throw new TailraceError('invalid_params', 'bytes must be a whole number above 0.');
}
