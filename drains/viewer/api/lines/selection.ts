/** Which lines a request is about: `group`, `stream`, `q`, `from`, `to`. */

import { TailraceError } from '../../../../src/common/errors.ts';
import { prepareQuery, type QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { earliestBound, latestBound } from '../../../../src/logs/tails/tail-query.ts';
import type { Grant } from '../../access/grant.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { Groups } from '../../groups/groups.ts';
import type { LineSelection } from '../../store/contract.ts';
import { type Parameters, readTime } from '../parameters.ts';
import { StreamMatchers } from './stream-matchers.ts';

/** Those that every request about lines has. */
export const SELECTION_PARAMETERS = ['group', 'stream', 'q', 'from', 'to'] as const;

export interface ReadSelection {
  readonly selection: LineSelection;
  readonly streams: readonly LogStreamRecord[];
  /** What lines of one of the streams are looked at with; undefined: all of them match. */
  readonly matcherOf: (stream: AppId) => QueryMatcher | undefined;
}

/**
 * Reads a selection; without groups and streams it is all that may be read. Times of the search (`since:`) narrow `from` and `to`.
 * @param defaultSpanMs how long it is when nothing says where it begins; left out: from the first line on
 * @throws TailraceError `invalid_params`, `not_found` for what may not be known
 */
export function readSelection(
  parameters: Parameters,
  groups: Groups,
  grant: Grant,
  { nowMs = Date.now(), defaultSpanMs }: { readonly nowMs?: number; readonly defaultSpanMs?: number } = {},
): ReadSelection {
  const query = prepareQuery(parameters.text('q') ?? '');
  const since = query.since === undefined ? undefined : readTime('since', query.since, nowMs);
  const until = query.until === undefined ? undefined : readTime('until', query.until, nowMs);
  const toMs = earliestBound(parameters.time('to', nowMs), until);
  const defaultFromMs = defaultSpanMs === undefined ? undefined : (toMs ?? nowMs) - defaultSpanMs;
  const fromMs = latestBound(parameters.time('from', nowMs), since) ?? defaultFromMs;
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs)
    throw new TailraceError(
      'invalid_params',
      'The range of time ends before it begins: `from` (or `since:`) has to be before `to` (or `until:`).',
    );
  const streams = selectedStreams(parameters, groups, grant);
  const selection: LineSelection = {
    streams: streams.map(({ id }) => id),
    ...(query.expression && {
      query: query.expression,
      senders: new Map(streams.map(({ id, name }) => [id, name])),
    }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  };
  const matchers = new StreamMatchers(query);
  const byId = new Map(streams.map((stream) => [stream.id, stream]));
  const matcherOf = (id: AppId): QueryMatcher | undefined => {
    const stream = byId.get(id);
    return stream ? matchers.of(stream) : query.matcher;
  };
  return { selection, streams, matcherOf };
}

/** The streams of what `group` and `stream` name; of all groups that may be read, when nothing is named. */
export function selectedStreams(
  parameters: Parameters,
  groups: Groups,
  grant: Grant,
): readonly LogStreamRecord[] {
  const groupIds = parameters.list('group');
  const streamIds = parameters.list('stream');
  const found = new Map<AppId, LogStreamRecord>();
  for (const id of groupIds) {
    grant.require(id, 'reader');
    for (const stream of groups.streamsOf(groups.get(id).id)) found.set(stream.id, stream);
  }
  for (const id of streamIds) found.set(id as AppId, readableStream(id, groups, grant));
  if (groupIds.length === 0 && streamIds.length === 0)
    for (const { id } of groups.list())
      if (grant.may(id, 'reader')) for (const stream of groups.streamsOf(id)) found.set(stream.id, stream);
  return [...found.values()];
}

/** May all of these be read that are still there? */
export function mayReadAll(streams: readonly LogStreamRecord[], groups: Groups, grant: Grant): boolean {
  return streams.every(({ id }) => {
    const stream = groups.findStream(id);
    return !stream || grant.may(stream.group, 'reader');
  });
}

/** @throws TailraceError `not_found` */
export function readableStream(id: string, groups: Groups, grant: Grant): LogStreamRecord {
  const stream = groups.findStream(id);
  if (!stream || !grant.may(stream.group, 'reader'))
    throw new TailraceError('not_found', "Couldn't find that stream.");
  return stream;
}
