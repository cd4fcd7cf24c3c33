/** `GET /api/download`: all lines of a selection, oldest first, as text or NDJSON. Lines are read as fast as they are taken. */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { ViewerParts } from '../../parts.ts';
import type { FoundLine, LineSelection, SearchLimits } from '../../store/contract.ts';
import { Parameters } from '../parameters.ts';
import { grantOf, whileGranted } from '../request-grant.ts';
import { foundLineJson, foundLineText } from './line-json.ts';
import { newestPositions, type StreamPositions } from './positions.ts';
import { limitsFor } from './request-limits.ts';
import { mayReadAll, readSelection, SELECTION_PARAMETERS } from './selection.ts';
import { type EventSearch, withWholeEvents } from './whole-events.ts';

const PAGE_LINES = 1_000;
const TYPES = {
  text: { type: 'text/plain; charset=utf-8', ending: 'log' },
  ndjson: { type: 'application/x-ndjson; charset=utf-8', ending: 'ndjson' },
} as const;

export function registerDownloadRoute(
  server: FastifyInstance,
  { store, records, groups, access, log }: ViewerParts,
): void {
  server.get('/api/download', async (request, reply) => {
    const parameters = new Parameters(request.query, [...SELECTION_PARAMETERS, 'format', 'gzip', 'events']);
    const format = parameters.choice('format', ['text', 'ndjson']);
    const gzip = parameters.flag('gzip');
    const grant = grantOf(request);
    const wantsEvents = parameters.flag('events');
    const { selection, streams, matcherOf } = readSelection(parameters, groups, grant);
    const names = new Map(streams.map(({ id, name }) => [id, name]));
    const asText = (line: FoundLine): string =>
      streams.length > 1 ? `${names.get(line.stream) ?? ''} ${foundLineText(line)}` : foundLineText(line);
    // What comes while it is read isn't in it, whatever its clock says.
    const positions = await newestPositions(records, streams);
    const lines = Readable.from(
      encode(
        whileGranted(
          pages(selection, wantsEvents ? matcherOf : undefined, positions, limitsFor(reply, undefined)),
          access,
          grant,
          (now) => mayReadAll(streams, groups, now),
        ),
        format === 'text' ? asText : foundLineJson,
      ),
      { objectMode: false },
    );
    const { type, ending } = TYPES[format];
    const name = `lines-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.${ending}`;
    reply.header('Content-Disposition', `attachment; filename="${gzip ? `${name}.gz` : name}"`);
    reply.type(gzip ? 'application/gzip' : type);
    if (!gzip) return reply.send(lines);
    const packed = createGzip();
    pipeline(lines, packed, (error) => {
      if (error && !reply.raw.destroyed) log.warn({ err: error }, 'a download ended early');
    });
    return reply.send(packed);
  });

  async function* pages(
    selection: LineSelection,
    eventsOf: EventSearch['matcherOf'] | undefined,
    positions: StreamPositions,
    limits: SearchLimits,
  ): AsyncGenerator<readonly FoundLine[]> {
    const isWanted = ({ stream, sequence }: FoundLine): boolean => sequence <= (positions.get(stream) ?? 0);
    const matcherOf = eventsOf ?? (() => undefined);
    const events: EventSearch = { store, selection, matcherOf, direction: 'after', limits, isWanted };
    /** Lines of events that went over the end of the page before. */
    let given = new Set<string>();
    let cursor: string | undefined;
    do {
      const found = await store.search(
        { ...selection, direction: 'after', ...(cursor !== undefined && { cursor }), limit: PAGE_LINES },
        limits,
      );
      const lines = (await withWholeEvents(events, found.lines.filter(isWanted)))
        .map(({ line }) => line)
        .filter((line) => !given.has(keyOf(line)));
      if (eventsOf) given = new Set(lines.map(keyOf));
      if (lines.length > 0) yield lines;
      cursor = found.cursor;
    } while (cursor !== undefined && limits.signal?.aborted !== true);
  }
}

function keyOf({ stream, sequence }: FoundLine): string {
  return `${stream} ${sequence}`;
}

async function* encode(
  pages: AsyncIterable<readonly FoundLine[]>,
  format: (line: FoundLine) => string,
): AsyncGenerator<string> {
  for await (const lines of pages) yield lines.map((line) => `${format(line)}\n`).join('');
}
