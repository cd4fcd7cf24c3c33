/** `/api/groups` and `/api/streams`: who sends lines, and where to. Addresses and tokens are for owners. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { Grant } from '../access/grant.ts';
import type { GroupRecord, LogStreamRecord } from '../groups/group-records.ts';
import type { ViewerParts } from '../parts.ts';
import type { StreamSummary } from '../store/contract.ts';
import { readBody } from './body.ts';
import { Parameters } from './parameters.ts';
import { grantOf } from './request-grant.ts';

export interface GroupRouteParts extends ViewerParts {
  /** Where syslog is taken. */
  readonly syslogAddresses: () => Readonly<Record<string, string>>;
  /** @throws TailraceError `conflict` when no rule can name this port */
  readonly requirePort: (port: number) => Promise<void>;
  /** Drops all lines of a stream. */
  readonly dropLines: (stream: AppId) => Promise<void>;
}

export function registerGroupRoutes(server: FastifyInstance, parts: GroupRouteParts): void {
  groupRoutes(server, parts);
  streamRoutes(server, parts);
}

function groupRoutes(server: FastifyInstance, parts: GroupRouteParts): void {
  const { groups, store, dropLines } = parts;

  server.get('/api/groups', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    const summaries = await summariesByStream(store);
    return groups
      .list()
      .filter(({ id }) => grant.may(id, 'reader'))
      .map((group) => groupView(parts, group, grant, summaries));
  });

  server.post('/api/groups', async (request, reply) => {
    const grant = grantOf(request);
    grant.requireOwner();
    const { name } = readBody(request, { name: 'string' });
    const group = await groups.create(name);
    return reply.code(201).send(groupView(parts, group, grant, new Map()));
  });

  server.get<{ Params: { group: string } }>('/api/groups/:group', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    grant.require(request.params.group, 'reader');
    return groupView(parts, groups.get(request.params.group), grant, await summariesByStream(store));
  });

  server.patch<{ Params: { group: string } }>('/api/groups/:group', async (request) => {
    const grant = grantOf(request);
    const { group } = request.params;
    grant.require(group, 'owner');
    const { name, renew_token } = readBody(request, { name: 'string?', renew_token: 'boolean?' });
    if (name !== undefined) await groups.rename(group, name);
    if (renew_token === true) await groups.renewToken(group);
    return groupView(parts, groups.get(group), grant, await summariesByStream(store));
  });

  server.delete<{ Params: { group: string } }>('/api/groups/:group', async (request, reply) => {
    const grant = grantOf(request);
    grant.requireOwner();
    await groups.remove(request.params.group);
    await groups.dropRemoved(dropLines);
    return reply.code(204).send();
  });
}

function streamRoutes(server: FastifyInstance, parts: GroupRouteParts): void {
  const { groups, store, dropLines } = parts;

  server.post<{ Params: { group: string } }>('/api/groups/:group/streams', async (request, reply) => {
    const grant = grantOf(request);
    grant.require(request.params.group, 'owner');
    const { name } = readBody(request, { name: 'string' });
    const stream = await groups.createStream(request.params.group, name);
    return reply.code(201).send(streamView(parts, stream, grant, undefined));
  });

  server.get<{ Params: { stream: string } }>('/api/streams/:stream', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    const stream = requireStream(groups, request.params.stream, grant, 'reader');
    return streamView(parts, stream, grant, (await summariesByStream(store)).get(stream.id));
  });

  server.patch<{ Params: { stream: string } }>('/api/streams/:stream', async (request) => {
    const grant = grantOf(request);
    const { id } = requireStream(groups, request.params.stream, grant, 'owner');
    const { name, group, renew_token } = readBody(request, {
      name: 'string?',
      group: 'string?',
      renew_token: 'boolean?',
    });
    if (group !== undefined) grant.require(group, 'owner');
    if (name !== undefined || group !== undefined) await groups.changeStream(id, { name, group });
    if (renew_token === true) await groups.renewStreamToken(id);
    return streamView(parts, groups.getStream(id), grant, (await summariesByStream(store)).get(id));
  });

  server.delete<{ Params: { stream: string } }>('/api/streams/:stream', async (request, reply) => {
    const grant = grantOf(request);
    const { id } = requireStream(groups, request.params.stream, grant, 'owner');
    await groups.removeStream(id);
    await groups.dropRemoved(dropLines);
    return reply.code(204).send();
  });
}

/** @throws TailraceError `not_found`, `forbidden` */
function requireStream(
  groups: ViewerParts['groups'],
  id: string,
  grant: Grant,
  role: 'reader' | 'owner',
): LogStreamRecord {
  const stream = groups.findStream(id);
  if (!stream || !grant.may(stream.group, 'reader'))
    throw new TailraceError('not_found', "Couldn't find that stream.");
  grant.require(stream.group, role);
  return stream;
}

async function summariesByStream(store: ViewerParts['store']): Promise<ReadonlyMap<string, StreamSummary>> {
  return new Map((await store.summaries()).map((summary) => [summary.stream, summary]));
}

function groupView(
  parts: GroupRouteParts,
  group: GroupRecord,
  grant: Grant,
  summaries: ReadonlyMap<string, StreamSummary>,
): object {
  const streams = parts.groups
    .streamsOf(group.id)
    // The group's own is shown once something has come without a name.
    .filter(({ id }) => id !== group.defaultStream || (summaries.get(id)?.lines ?? 0) > 0)
    .map((stream) => streamView(parts, stream, grant, summaries.get(stream.id)));
  return {
    id: group.id,
    name: group.name,
    role: grant.roleIn(group.id),
    created_at: group.createdAt,
    streams,
    ...(grant.may(group.id, 'owner') && sendersView(parts, group.token)),
  };
}

function streamView(
  parts: GroupRouteParts,
  stream: LogStreamRecord,
  grant: Grant,
  summary: StreamSummary | undefined,
): object {
  return {
    id: stream.id,
    name: stream.name,
    group: stream.group,
    created_at: stream.createdAt,
    lines: summary?.lines ?? 0,
    bytes: summary?.rawBytes ?? 0,
    disk_bytes: summary?.diskBytes ?? 0,
    firstAt: timeOf(summary?.firstMs),
    lastAt: timeOf(summary?.lastMs),
    ...(grant.may(stream.group, 'owner') && sendersView(parts, stream.token)),
  };
}

/** How senders reach it. */
function sendersView({ publicUrl, syslogAddresses }: GroupRouteParts, token: string): object {
  const url = new URL(`${publicUrl()}/logs`);
  url.username = 'token';
  url.password = token;
  return { token, drain_url: url.href, syslog: syslogAddresses() };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
