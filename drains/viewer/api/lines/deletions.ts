/** `POST /api/deletions`: deletes lines of streams for good, by time and search. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import { withKnownSender } from '../../../../src/logs/query/known-sender.ts';
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { countEdition } from '../../../../src/logs/store/stream-edition.ts';
import type { ViewerParts } from '../../parts.ts';
import { readBody } from '../body.ts';
import { readTime } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';

export function registerDeletionRoute(
  server: FastifyInstance,
  { store, records, readers, groups, log }: ViewerParts,
): void {
  server.post('/api/deletions', async (request) => {
    const body = readBody(request, {
      group: 'string',
      streams: 'strings?',
      q: 'string?',
      from: 'string?',
      to: 'string?',
      confirm: 'string?',
      dry_run: 'boolean?',
    });
    const grant = grantOf(request);
    grant.require(body.group, 'owner');
    const group = groups.get(body.group);
    const { expression: query, since, until } = prepareQuery(body.q ?? '');
    if (since !== undefined || until !== undefined)
      throw new TailraceError('invalid_params', 'Say times with from and to, not in the search.');
    const nowMs = Date.now();
    const fromMs = body.from === undefined ? undefined : readTime('from', body.from, nowMs);
    const toMs = body.to === undefined ? undefined : readTime('to', body.to, nowMs);
    if (!query && fromMs === undefined && toMs === undefined)
      throw new TailraceError('invalid_params', 'Say which lines: q (a search), from or to (times).');
    const ofGroup = groups.streamsOf(group.id);
    for (const id of body.streams ?? [])
      if (!ofGroup.some((stream) => stream.id === id))
        throw new TailraceError('not_found', "Couldn't find that stream.");
    const streams = ofGroup.filter(({ id }) => body.streams?.includes(id) ?? true);
    const isDryRun = body.dry_run === true;
    if (!isDryRun && body.confirm !== group.name)
      throw new TailraceError(
        'confirmation_required',
        `These lines of ${group.name} are deleted for good: send confirm with the group's name.`,
      );
    let lines = 0;
    for (const { id, name } of streams) {
      const own = query && withKnownSender(query, name);
      lines += await store.deleteLines(id as AppId, { query: own, fromMs, toMs }, isDryRun);
      if (isDryRun) continue;
      await countEdition(records, id as AppId);
      await readers.linesDeleted();
    }
    // What was looked for must be nowhere afterwards.
    const { from, to } = body;
    if (!isDryRun) log.info({ by: grant.name, group: group.name, from, to, lines }, 'lines were deleted');
    return { lines, dry_run: isDryRun };
  });
}
