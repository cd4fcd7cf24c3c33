/** `/api/searches`: searches that are kept under a name. Members of their group change them. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import type { Grant, Role } from '../../access/grant.ts';
import type { AlertBook } from '../../alerts/records/alert-book.ts';
import type { SavedSearch } from '../../alerts/records/alert-records.ts';
import { assertAlertQuery, readName, readSavedQuery } from '../../alerts/records/read-alert.ts';
import type { Groups } from '../../groups/groups.ts';
import { readBody } from '../body.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';

export interface SearchRouteParts {
  readonly book: AlertBook;
  readonly groups: Groups;
}

/** Adds the routes. Readers of a search's group see it, members make and change it. */
export function registerSavedSearchRoutes(server: FastifyInstance, { book, groups }: SearchRouteParts): void {
  server.get('/api/searches', async (request) => {
    const parameters = new Parameters(request.query, ['group']);
    const grant = grantOf(request);
    const group = parameters.text('group');
    return (await book.searches())
      .filter((search) => maySearch(grant, search) && (group === undefined || search.group === group))
      .sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))
      .map(searchView);
  });

  server.get<{ Params: { search: string } }>('/api/searches/:search', async (request) => {
    new Parameters(request.query, []);
    return searchView(await readableSearch(book, request.params.search, grantOf(request), 'reader'));
  });

  server.post('/api/searches', async (request, reply) => {
    const { name, group, streams, q } = readBody(request, {
      name: 'string',
      group: 'string?',
      streams: 'strings?',
      q: 'string?',
    });
    const place = readPlace(group, streams, grantOf(request));
    const query = readSavedQuery(q ?? '');
    const search = await book.addSearch({ name: readName(name, 'a search'), ...place, query });
    return reply.code(201).send(searchView(search));
  });

  server.patch<{ Params: { search: string } }>('/api/searches/:search', async (request) => {
    const grant = grantOf(request);
    const search = await readableSearch(book, request.params.search, grant, 'member');
    const { name, group, streams, q } = readBody(request, {
      name: 'string?',
      group: 'string?',
      streams: 'strings?',
      q: 'string?',
    });
    const { group: oldGroup, streams: oldStreams, ...same } = search;
    const query = q === undefined ? search.query : readSavedQuery(q);
    if ((await book.alerts()).some((alert) => alert.search === search.id)) assertAlertQuery(query);
    const place = readPlace(
      group ?? oldGroup,
      streams ?? (group === undefined ? oldStreams : undefined),
      grant,
    );
    const changed = await book.changeSearch({
      ...same,
      ...place,
      name: name === undefined ? search.name : readName(name, 'a search'),
      query,
    });
    return searchView(changed);
  });

  server.delete<{ Params: { search: string } }>('/api/searches/:search', async (request, reply) => {
    const search = await readableSearch(book, request.params.search, grantOf(request), 'member');
    await book.removeSearch(search.id);
    return reply.code(204).send();
  });

  /** Where a search looks. @throws TailraceError `not_found`, `forbidden`, `invalid_params` */
  function readPlace(
    group: string | undefined,
    streams: readonly string[] | undefined,
    grant: Grant,
  ): Pick<SavedSearch, 'group' | 'streams'> {
    if (group === undefined) {
      if (streams?.length)
        throw new TailraceError('invalid_params', 'streams are of a group: name it as group, too.');
      requireRole(grant, undefined, 'member');
      return {};
    }
    grant.require(group, 'member');
    groups.get(group);
    const own = groups.streamsOf(group);
    const missing = streams?.find((id) => !own.some((stream) => stream.id === id));
    if (missing !== undefined)
      throw new TailraceError(
        'invalid_params',
        `The group has no stream ${JSON.stringify(missing.slice(0, 40))}.`,
      );
    return { group, ...(streams?.length && { streams: streams as readonly AppId[] }) };
  }
}

/**
 * A search that somebody may know of.
 * @throws TailraceError `not_found`, `forbidden` for a reader who wants to change it
 */
export async function readableSearch(
  book: AlertBook,
  id: string,
  grant: Grant,
  role: Role,
): Promise<SavedSearch> {
  const search = await book.search(id);
  if (!maySearch(grant, search)) throw new TailraceError('not_found', "Couldn't find that search.");
  requireRole(grant, search.group, role);
  return search;
}

/** A search of all groups is for those who may read all of them. */
export function maySearch(grant: Grant, { group }: Pick<SavedSearch, 'group'>): boolean {
  return grant.may(group ?? '', 'reader');
}

function requireRole(grant: Grant, group: string | undefined, role: Role): void {
  if (!grant.may(group ?? '', role))
    throw new TailraceError(
      'forbidden',
      `This takes the role ${role} in ${group === undefined ? 'all groups' : 'the group'}: ask an owner.`,
    );
}

function searchView({ id, name, group, streams, query, createdAt, updatedAt }: SavedSearch): object {
  return {
    id,
    name,
    group: group ?? null,
    streams: streams ?? null,
    q: query,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}
