/** `/api/alerts` and `/api/alert-events`: when somebody is told of what a saved search finds, and what was told. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { Grant, Role } from '../../access/grant.ts';
import { conditionText, searchUrl, summaryOf, titleOf } from '../../alerts/notify/message.ts';
import type { Alerts } from '../../alerts/open-alerts.ts';
import type {
  AlertEvent,
  AlertRecord,
  Destination,
  SavedSearch,
} from '../../alerts/records/alert-records.ts';
import {
  assertAlertQuery,
  destinationView,
  hostsOf,
  queryFault,
  readAlert,
} from '../../alerts/records/read-alert.ts';
import { readBody } from '../body.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { maySearch, readableSearch } from './saved-searches.ts';

const EVENTS_MAX = 1_000;
/** Tests of one alert: each is sent at once. */
const TEST_INTERVAL_MS = 2_000;

type RouteAlerts = Pick<Alerts, 'book' | 'history' | 'notifier' | 'policy' | 'mail' | 'streamsOf'>;

export interface AlertRouteParts {
  readonly alerts: RouteAlerts;
  readonly pageUrl: () => string;
}

export function registerAlertRoutes(server: FastifyInstance, parts: AlertRouteParts): void {
  readRoutes(server, parts);
  changeRoutes(server, parts);
  testRoute(server, parts);
  eventsRoute(server, parts);
}

function readRoutes(server: FastifyInstance, { alerts }: AlertRouteParts): void {
  const { book, history } = alerts;

  server.get('/api/alerts', async (request) => {
    const parameters = new Parameters(request.query, ['search']);
    const grant = grantOf(request);
    const wanted = parameters.text('search');
    const searches = new Map((await book.searches()).map((search) => [search.id, search]));
    const firedAt = await lastFired(history);
    return (await book.alerts())
      .filter(({ search }) => wanted === undefined || search === wanted)
      .flatMap((alert) => {
        const search = searches.get(alert.search);
        return search && maySearch(grant, search) ? [view(alerts, alert, search, firedAt)] : [];
      });
  });

  server.get<{ Params: { alert: string } }>('/api/alerts/:alert', async (request) => {
    new Parameters(request.query, []);
    const { alert, search } = await readableAlert(book, request.params.alert, grantOf(request), 'reader');
    return view(alerts, alert, search, await lastFired(history));
  });
}

function changeRoutes(server: FastifyInstance, { alerts }: AlertRouteParts): void {
  const { book, history } = alerts;

  server.post('/api/alerts', async (request, reply) => {
    const { search: id, ...input } = readAlertBody(request, 'string');
    const search = await readableSearch(book, id ?? '', grantOf(request), 'member');
    assertAlertQuery(search.query);
    const settings = readAlert({ ...input, name: input.name ?? search.name }, undefined);
    await assertDestinations(alerts, settings.destinations);
    const alert = await book.addAlert({ ...settings, search: search.id });
    return reply.code(201).send(view(alerts, alert, search, new Map()));
  });

  server.patch<{ Params: { alert: string } }>('/api/alerts/:alert', async (request) => {
    const { alert, search } = await readableAlert(book, request.params.alert, grantOf(request), 'member');
    const { search: _same, ...input } = readAlertBody(request, 'string?');
    const { id, search: searchId, createdAt, updatedAt } = alert;
    const settings = readAlert(input, alert);
    await assertDestinations(alerts, settings.destinations);
    const changed = await book.changeAlert({ ...settings, id, search: searchId, createdAt, updatedAt });
    return view(alerts, changed, search, await lastFired(history));
  });

  server.delete<{ Params: { alert: string } }>('/api/alerts/:alert', async (request, reply) => {
    const { alert } = await readableAlert(book, request.params.alert, grantOf(request), 'member');
    await book.removeAlert(alert.id);
    return reply.code(204).send();
  });
}

function testRoute(server: FastifyInstance, { alerts, pageUrl }: AlertRouteParts): void {
  const { book, history, notifier } = alerts;
  const testedMs = new Map<string, number>();

  server.post<{ Params: { alert: string } }>('/api/alerts/:alert/test', async (request) => {
    const { alert, search } = await readableAlert(book, request.params.alert, grantOf(request), 'member');
    if (alert.destinations.length === 0)
      throw new TailraceError('invalid_params', 'The alert has no destinations: add one, and test it then.');
    const nowMs = performance.now();
    if (nowMs - (testedMs.get(alert.id) ?? Number.NEGATIVE_INFINITY) < TEST_INTERVAL_MS)
      throw new TailraceError('rate_limited', 'This alert was tested just now: wait some seconds.');
    testedMs.set(alert.id, Number.POSITIVE_INFINITY);
    const event = testEvent(alert, search, history.newId());
    // A receiver may take its time.
    const deliveries = await notifier
      .sendOnce(event, alert.destinations)
      .finally(() => testedMs.set(alert.id, performance.now()));
    await history.add({ ...event, deliveries });
    return eventView({ ...event, deliveries }, pageUrl());
  });
}

function eventsRoute(server: FastifyInstance, { alerts, pageUrl }: AlertRouteParts): void {
  server.get('/api/alert-events', async (request) => {
    const parameters = new Parameters(request.query, ['alert', 'limit']);
    const grant = grantOf(request);
    const limit = parameters.count('limit', 100, 1, EVENTS_MAX);
    const alert = parameters.text('alert');
    return (await alerts.history.list())
      .filter((event) => (alert === undefined || event.alert.id === alert) && maySearch(grant, event.search))
      .slice(0, limit)
      .map((event) => eventView(event, pageUrl()));
  });
}

/** Of each alert when it fired the last time, as far as the history goes. */
async function lastFired(history: RouteAlerts['history']): Promise<Map<string, number>> {
  const firedAt = new Map<string, number>();
  for (const { kind, alert, toMs } of await history.list())
    if (kind === 'fired' && !firedAt.has(alert.id)) firedAt.set(alert.id, toMs);
  return firedAt;
}

function view(
  alerts: RouteAlerts,
  alert: AlertRecord,
  search: SavedSearch,
  firedAt: ReadonlyMap<string, number>,
): object {
  const firedMs = firedAt.get(alert.id);
  return {
    ...alertView(alert, search),
    last_fired_at: firedMs === undefined ? null : new Date(firedMs).toISOString(),
    problem: problemOf(alerts, search) ?? null,
  };
}

/** Why an alert isn't evaluated though it is on. */
function problemOf({ streamsOf }: RouteAlerts, search: SavedSearch): string | undefined {
  const fault = queryFault(search.query);
  if (fault !== undefined) return `Its search can't be read, so no line is looked at: ${fault}`;
  return streamsOf(search).length === 0
    ? 'What its search looks at was removed, so no line is looked at: give the search another group, or remove both.'
    : undefined;
}

async function readableAlert(
  book: RouteAlerts['book'],
  id: string,
  grant: Grant,
  role: Role,
): Promise<{ alert: AlertRecord; search: SavedSearch }> {
  const alert = await book.alert(id);
  const search = await readableSearch(book, alert.search, grant, role).catch((error: unknown) => {
    if (error instanceof TailraceError && error.code === 'not_found')
      throw new TailraceError('not_found', "Couldn't find that alert.");
    throw error;
  });
  return { alert, search };
}

/** @throws TailraceError `invalid_params` for what nothing can be sent to */
async function assertDestinations(
  { policy, mail }: RouteAlerts,
  destinations: readonly Destination[],
): Promise<void> {
  for (const host of hostsOf(destinations)) await policy.assertAllowedHost(host);
  if (!mail.isSet && destinations.some(({ kind }) => kind === 'email'))
    throw new TailraceError(
      'invalid_params',
      'No SMTP server is set: start the viewer with VIEWER_SMTP_URL, then alerts can go out as mails.',
    );
}

/** What is in the list of destinations is looked at by what reads it. */
function readAlertBody(request: Pick<FastifyRequest, 'body'>, search: 'string' | 'string?') {
  return readBody(request, {
    search,
    name: 'string?',
    condition: 'object?',
    group_by: 'string?',
    cooldown_minutes: 'number?',
    notify_resolved: 'boolean?',
    enabled: 'boolean?',
    muted_until: 'string?',
    destinations: 'list?',
  });
}

function testEvent(alert: AlertRecord, search: SavedSearch, id: string): AlertEvent {
  const nowMs = Date.now();
  const { name, query, group, streams } = search;
  return {
    id,
    kind: 'test',
    alert: { id: alert.id, name: alert.name },
    search: {
      id: search.id,
      name,
      query,
      ...(group !== undefined && { group }),
      ...(streams && { streams }),
    },
    condition: alert.condition,
    count: 0,
    fromMs: nowMs - 3_600_000,
    toMs: nowMs,
    samples: [],
    deliveries: [],
  };
}

function alertView(alert: AlertRecord, search: SavedSearch): object {
  const { id, name, condition, groupBy, cooldownMinutes, notifyResolved, enabled, mutedUntil } = alert;
  const shown =
    condition.kind === 'new-pattern'
      ? { kind: condition.kind, days: condition.days, learn_minutes: condition.learnMinutes }
      : condition;
  return {
    id,
    name,
    search: search.id,
    condition: { ...shown, text: conditionText(condition) },
    group_by: groupBy ?? null,
    cooldown_minutes: cooldownMinutes,
    notify_resolved: notifyResolved,
    enabled,
    muted_until: mutedUntil ?? null,
    destinations: alert.destinations.map(destinationView),
    created_at: alert.createdAt,
    updated_at: alert.updatedAt,
  };
}

function eventView(event: AlertEvent, baseUrl: string): object {
  const { id, kind, alert, search, value, count, patterns, fromMs, toMs, unwatchedMs, samples, muted } =
    event;
  return {
    id,
    kind,
    title: titleOf(event),
    summary: summaryOf(event),
    alert,
    search: { id: search.id, name: search.name, q: search.query, group: search.group ?? null },
    ...(value && { field: value.field, value: value.value }),
    count,
    ...(patterns && { patterns }),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    ...(unwatchedMs !== undefined && { unwatched_seconds: Math.round(unwatchedMs / 1_000) }),
    muted: muted === true,
    url: searchUrl(baseUrl, event),
    lines: samples.map((line) => ({
      stream: line.stream,
      stream_name: line.streamName,
      position: String(line.position),
      timestamp: line.timestamp,
      program: line.program,
      message: line.message,
    })),
    deliveries: event.deliveries,
  };
}
