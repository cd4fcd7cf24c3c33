/** `GET /api/search`: pages of lines, and what is around one of them. */
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { ViewerParts } from '../../parts.ts';
import type { FoundLine } from '../../store/contract.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { eventLineJson, foundLineJson, linesJson } from './line-json.ts';
import {
  newestPositions,
  readPageCursor,
  readPositions,
  writePageCursor,
  writePositions,
} from './positions.ts';
import { limitsFor } from './request-limits.ts';
import { readableStream, readSelection, SELECTION_PARAMETERS } from './selection.ts';
import { withWholeEvents } from './whole-events.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 5_000;
/** What is around each line is read too. */
const LIMIT_MAX_WITH_EVENTS = 1_000;
const CONTEXT_DEFAULT = 50;
const CONTEXT_MAX = 1_000;

/**
 * `before=CURSOR` goes to the past, newest first; `after=CURSOR` to the present, oldest first, and `after=` begins at the selection's start.
 * Without either: the newest, with `tail`, from where a tail goes on: this search and its older pages look no further than that.
 */
export function registerSearchRoutes(
  server: FastifyInstance,
  { store, records, groups, settings }: ViewerParts,
): void {
  server.get('/api/search', async (request, reply) => {
    const parameters = new Parameters(request.query, [
      ...SELECTION_PARAMETERS,
      'limit',
      'before',
      'after',
      'events',
    ]);
    const { selection, streams, matcherOf } = readSelection(parameters, groups, grantOf(request));
    const wantsEvents = parameters.flag('events');
    const limit = parameters.count(
      'limit',
      LIMIT_DEFAULT,
      1,
      wantsEvents ? LIMIT_MAX_WITH_EVENTS : LIMIT_MAX,
    );
    const goesBack = !parameters.has('after');
    if (!goesBack && parameters.has('before'))
      throw new TailraceError('invalid_params', 'before goes to the past, after to the present: use one.');
    const given = parameters.text(goesBack ? 'before' : 'after');
    const page = given === undefined ? undefined : readPageCursor(given, goesBack ? 'before' : 'after');
    const isFirst = page === undefined;
    const positions =
      isFirst || goesBack
        ? (page?.positions ?? writePositions(await newestPositions(records, streams), streams))
        : undefined;
    const direction = goesBack ? 'before' : 'after';
    const limits = limitsFor(reply, settings.searchMs);
    const result = await store.search(
      { ...selection, direction, ...(page && { cursor: page.cursor }), limit },
      limits,
    );
    const { cursor, searchedToMs } = result;
    const isWanted = goesBack && positions !== undefined ? upTo(positions, streams) : () => true;
    const lines = result.lines.filter(isWanted);
    const json = wantsEvents
      ? (await withWholeEvents({ store, selection, matcherOf, direction, limits, isWanted }, lines))
          .map(eventLineJson)
          .join(',')
      : lines.map(foundLineJson).join(',');
    const next = cursor === undefined ? undefined : writePageCursor(cursor, goesBack ? positions : undefined);
    const more = {
      ...(next !== undefined && { [goesBack ? 'before' : 'after']: next }),
      ...(searchedToMs !== undefined && { searchedTo: new Date(searchedToMs).toISOString() }),
      ...(isFirst && { tail: positions }),
    };
    return reply
      .type('application/json; charset=utf-8')
      .send(`{"lines":[${json}],${JSON.stringify(more).slice(1)}`.replace(/,\}$/, '}'));
  });

  server.get<{ Params: { stream: string; position: string } }>(
    '/api/streams/:stream/lines/:position/context',
    async (request, reply) => {
      const parameters = new Parameters(request.query, ['before', 'after']);
      const { id } = readableStream(request.params.stream, groups, grantOf(request));
      const sequence = Number(request.params.position);
      if (!/^-?\d{1,15}$/.test(request.params.position))
        throw new TailraceError('invalid_params', 'A position is a number, as a line has it.');
      const before = parameters.count('before', CONTEXT_DEFAULT, 0, CONTEXT_MAX);
      const after = parameters.count('after', CONTEXT_DEFAULT, 0, CONTEXT_MAX);
      const lines = await store.context({ stream: id, sequence }, before, after);
      if (!lines.some((line) => line.sequence === sequence))
        throw new TailraceError('not_found', "This line isn't kept any more.");
      return reply.type('application/json; charset=utf-8').send(`{"lines":${linesJson(lines)}}`);
    },
  );
}

/** What came after the first page was asked for is the tail's. */
function upTo(text: string, streams: readonly LogStreamRecord[]): (line: FoundLine) => boolean {
  const positions = readPositions(text, streams, 'before');
  return ({ stream, sequence }) => sequence <= (positions.get(stream) ?? 0);
}
