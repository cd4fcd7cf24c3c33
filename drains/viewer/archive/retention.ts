/** Removes what is too old or too much, the oldest first; what is to be archived, only when it is. */

import type { AppId, Sequence } from '../../../src/logs/store/contract.ts';
import type { LineStore, StreamSummary } from '../store/contract.ts';

/** How long, and how much, is kept; undefined is without a limit. */
export interface RetentionPolicy {
  readonly ageMs?: number;
  /** On disk, of all streams of a group together. */
  readonly bytes?: number;
}

/** Lines that were removed, by why. */
export interface RemovedLines {
  readonly byAge: number;
  readonly byBytes: number;
}

/** How far a stream may be removed; undefined: there is no archive to wait for. */
export type ArchivedUpTo = (stream: AppId) => Promise<Sequence | undefined>;

/** A group's own limits, and those of all groups for what it has none of. */
export function effectivePolicy(
  own: RetentionPolicy | undefined,
  defaults: RetentionPolicy,
): RetentionPolicy {
  return { ageMs: own?.ageMs ?? defaults.ageMs, bytes: own?.bytes ?? defaults.bytes };
}

/** Applies a policy to the streams of a group. */
export async function applyRetention(
  store: LineStore,
  streams: readonly AppId[],
  policy: RetentionPolicy,
  archivedUpTo: ArchivedUpTo,
  nowMs: number,
): Promise<RemovedLines> {
  let byAge = 0;
  if (policy.ageMs !== undefined)
    for (const stream of streams)
      byAge += await store.removeBefore(stream, nowMs - policy.ageMs, await archivedUpTo(stream));
  const byBytes = policy.bytes === undefined ? 0 : await shrink(store, streams, policy.bytes, archivedUpTo);
  return { byAge, byBytes };
}

/** Removes the oldest part of all streams, again and again, until they take no more than so many bytes together. */
export async function shrink(
  store: LineStore,
  streams: readonly AppId[],
  bytes: number,
  archivedUpTo: ArchivedUpTo,
): Promise<number> {
  const wanted = new Set(streams);
  /** Of these nothing more can be removed. */
  const done = new Set<AppId>();
  let removed = 0;
  for (;;) {
    const summaries = (await store.summaries()).filter(({ stream }) => wanted.has(stream));
    const total = summaries.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
    const oldest = oldestOf(summaries.filter(({ stream }) => !done.has(stream)));
    if (total <= bytes || !oldest) return removed;
    // One part, or as many as make up for what is too much of this stream alone.
    const lines = await store.shrinkTo(
      oldest.stream,
      oldest.diskBytes - 1,
      await archivedUpTo(oldest.stream),
    );
    if (lines === 0) done.add(oldest.stream);
    removed += lines;
  }
}

function oldestOf(summaries: readonly StreamSummary[]): StreamSummary | undefined {
  let oldest: StreamSummary | undefined;
  for (const one of summaries)
    if (one.diskBytes > 0 && (!oldest || (one.firstMs ?? Infinity) < (oldest.firstMs ?? Infinity)))
      oldest = one;
  return oldest;
}
