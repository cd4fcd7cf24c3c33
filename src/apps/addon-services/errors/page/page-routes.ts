/** What the page and programs ask: `/addons/ID/page/api/…` at the API. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../common/errors.ts';
import type { JsonObject } from '../../../../common/json-object.ts';
import type { EventStream } from '../../runtime/event-stream.ts';
import { readEventId } from '../event/error-event.ts';
import type { ErrorIntake } from '../ingest/error-intake.ts';
import { type ErrorGroup, GROUP_STATUSES, type GroupStatus } from '../store/error-group.ts';
import type { ErrorStore } from '../store/error-store.ts';
import type { GroupChanges } from './group-changes.ts';
import {
  eventToJson,
  GROUP_SORTS,
  type GroupSort,
  groupDetailsToJson,
  groupToJson,
  selectGroups,
} from './group-json.ts';

const PAGE_MAX = 1_000;

interface ErrorPageDependencies {
  readonly store: ErrorStore;
  readonly intake: ErrorIntake;
  readonly changes: GroupChanges;
  readonly stream: EventStream<unknown>;
  /** The add-on's. */
  readonly name: string;
  readonly dsn: string;
}

interface GroupQuery {
  readonly status?: string;
  readonly q?: string;
  readonly sort?: string;
  readonly limit?: string;
  readonly offset?: string;
}

export function errorPageRoutes(server: FastifyInstance, dependencies: ErrorPageDependencies): void {
  const { store, changes, stream } = dependencies;
  const find = (id: string): ErrorGroup => {
    const group = store.groups.get(id);
    if (group) return group;
    throw new TailraceError('not_found', 'There is no such error (any more).');
  };
  const answerEvent = async (group: ErrorGroup, number: number): Promise<JsonObject> => {
    const stored = await store.event(number);
    if (stored) return eventToJson(group, number, stored);
    throw new TailraceError('not_found', 'This event isn’t kept any more.');
  };

  server.get('/api/summary', async () => summaryOf(dependencies));

  server.get<{ Querystring: GroupQuery }>('/api/groups', async ({ query }) => {
    const status = oneOf('status', query.status ?? 'unresolved', [...GROUP_STATUSES, 'all']);
    const sort = oneOf('sort', query.sort ?? 'last_seen', GROUP_SORTS) as GroupSort;
    const found = selectGroups(store.groups.values(), { status, sort, query: String(query.q ?? '') });
    const offset = wholeNumber('offset', query.offset ?? '0', Number.MAX_SAFE_INTEGER);
    const limit = wholeNumber('limit', query.limit ?? '100', PAGE_MAX);
    const now = Date.now();
    return {
      total: found.length,
      groups: found.slice(offset, offset + limit).map((group) => groupToJson(group, now)),
    };
  });

  server.get<{ Params: { id: string } }>('/api/groups/:id', async ({ params }) =>
    groupDetailsToJson(find(params.id), Date.now()),
  );

  server.patch<{ Params: { id: string }; Body: { status?: unknown } | undefined }>(
    '/api/groups/:id',
    async ({ params, body }) => {
      const status = oneOf('status', String(body?.status), GROUP_STATUSES) as GroupStatus;
      find(params.id);
      const group = (await store.setStatus(params.id, status, Date.now())) ?? find(params.id);
      changes.add(group.id);
      return groupDetailsToJson(group, Date.now());
    },
  );

  server.delete<{ Params: { id: string } }>('/api/groups/:id', async ({ params }) => {
    find(params.id);
    const group = (await store.remove(params.id)) ?? find(params.id);
    changes.add(group.id);
    return groupToJson(group, Date.now());
  });

  server.get<{ Params: { id: string; event: string } }>(
    '/api/groups/:id/events/:event',
    async ({ params }) => {
      const group = find(params.id);
      const newest = group.events.at(-1)?.[0];
      const oldest = group.events.at(0)?.[0];
      const number =
        params.event === 'latest' ? newest : params.event === 'oldest' ? oldest : Number(params.event);
      if (number === undefined || !group.events.some(([one]) => one === number))
        throw new TailraceError('not_found', 'This event isn’t kept any more.');
      return answerEvent(group, number);
    },
  );

  // By the id that SDKs give to the user: on error pages, in tickets.
  server.get<{ Params: { id: string } }>('/api/events/:id', async ({ params }) => {
    const number = store.numberOf(readEventId(params.id) ?? '');
    if (number === undefined) throw new TailraceError('not_found', 'There is no such event (any more).');
    return answerEvent(find(store.groupOfEvent(number) ?? ''), number);
  });

  // `{"groups": [ids]}` whenever some have changed.
  server.get('/api/live', (request, reply) => stream.open(request, reply));
}

function summaryOf({ store, intake, name, dsn }: ErrorPageDependencies): JsonObject {
  const groups: Record<GroupStatus, number> = { unresolved: 0, resolved: 0, ignored: 0 };
  for (const { status } of store.groups.values()) groups[status]++;
  return {
    name,
    dsn,
    groups,
    events: store.counters.events,
    kept_events: store.eventCount,
    kept_bytes: store.keptBytes,
    evicted_events: store.counters.evictedEvents,
    evicted_groups: store.counters.evictedGroups,
    // Since its start.
    limited_events: intake.limitedEvents,
    refused_requests: intake.refusedRequests,
    dropped_items: Object.fromEntries(intake.droppedItems),
  };
}

function oneOf(name: string, value: string, allowed: readonly string[]): string {
  if (allowed.includes(value)) return value;
  throw new TailraceError('invalid_params', `${name} is one of ${allowed.join(', ')}.`);
}

function wholeNumber(name: string, text: string, max: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= max) return number;
  throw new TailraceError('invalid_params', `${name} is a whole number up to ${max}.`);
}
