/** `/api/archives`: what is archived, its files, searches in them, and lines as files of other tools. */

import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import type { Grant } from '../../access/grant.ts';
import type { ArchiveCatalog, ArchivedFile } from '../../archive/catalog.ts';
import { EXPORT_FORMATS, exporter, exportLines } from '../../archive/export-lines.ts';
import { FileLines, type ReadLine } from '../../archive/formats/read-lines.ts';
import { textLines } from '../../archive/formats/text-lines.ts';
import type { Keeper } from '../../archive/keeper.ts';
import { type ArchiveHit, searchArchive } from '../../archive/search-archive.ts';
import { isSafeKey } from '../../archive/storage/archive-storage.ts';
import type { ViewerParts } from '../../parts.ts';
import type { FoundLine } from '../../store/contract.ts';
import { foundLineJson } from '../lines/line-json.ts';
import { limitsFor } from '../lines/request-limits.ts';
import { mayReadAll, readSelection, SELECTION_PARAMETERS } from '../lines/selection.ts';
import { Parameters } from '../parameters.ts';
import { grantOf, whileGranted } from '../request-grant.ts';

export interface ArchiveRouteParts extends ViewerParts {
  /** Undefined: nothing is archived. */
  readonly catalog: ArchiveCatalog | undefined;
  readonly keeper: Keeper;
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 5_000;
/** Files are read from the start: longer than a search of what is indexed. */
const SEARCH_MS = 30_000;
const NO_ARCHIVE = 'Nothing is archived here: set VIEWER_ARCHIVE to a folder or s3://bucket/folder.';

/** Adds the routes. Without an archive the list is empty, and what needs one is refused with a sentence. */
export function registerArchiveRoutes(server: FastifyInstance, parts: ArchiveRouteParts): void {
  listRoutes(server, parts);
  searchRoute(server, parts);
  exportRoute(server, parts);
  fileRoute(server, parts);
}

function listRoutes(server: FastifyInstance, { catalog, keeper }: ArchiveRouteParts): void {
  server.get('/api/archives', async (request) => {
    new Parameters(request.query, []);
    const grant = grantOf(request);
    const { archive, ...status } = await keeper.status();
    const { files, problems } = catalog ? await catalog.list() : { files: [], problems: [] };
    return {
      archive: archive ?? null,
      // Where it is, and what is wrong with it, isn't for everybody.
      ...(grant.role === 'owner'
        ? { ...status, problems }
        : { archive: archive === undefined ? null : 'on' }),
      files: files.filter((file) => mayRead(file, grant)).map(fileView),
    };
  });

  // What is due, now rather than within a minute.
  server.post('/api/archives/run', async (request) => {
    grantOf(request).requireOwner();
    await keeper.run();
    const { archive, ...status } = await keeper.status();
    return { archive: archive ?? null, ...status };
  });
}

function searchRoute(server: FastifyInstance, { catalog, groups }: ArchiveRouteParts): void {
  server.get('/api/archives/search', async (request, reply) => {
    const parameters = new Parameters(request.query, [...SELECTION_PARAMETERS, 'limit', 'before', 'after']);
    const grant = grantOf(request);
    const { selection } = readSelection(parameters, groups, grant);
    const goesBack = !parameters.has('after');
    if (!goesBack && parameters.has('before'))
      throw new TailraceError('invalid_params', 'before goes to the past, after to the present: use one.');
    // An owner finds what others have put there, and what is of streams that are gone.
    const isAll =
      grant.role === 'owner' &&
      parameters.list('group').length === 0 &&
      parameters.list('stream').length === 0;
    const { streams, ...range } = selection;
    const result = await searchArchive(
      requireCatalog(catalog),
      {
        ...range,
        ...(!isAll && { streams }),
        direction: goesBack ? 'before' : 'after',
        cursor: parameters.text(goesBack ? 'before' : 'after'),
        limit: parameters.count('limit', LIMIT_DEFAULT, 1, LIMIT_MAX),
      },
      limitsFor(reply, SEARCH_MS),
    );
    const { cursor, searchedToMs, problems, files } = result;
    const more = {
      ...(cursor !== undefined && { [goesBack ? 'before' : 'after']: cursor }),
      ...(searchedToMs !== undefined && { searchedTo: new Date(searchedToMs).toISOString() }),
      files,
      problems: isAll ? problems : problems.length === 0 ? [] : ["Some files of the archive can't be read."],
    };
    return reply
      .type('application/json; charset=utf-8')
      .send(`{"lines":[${result.lines.map(hitJson).join(',')}],${JSON.stringify(more).slice(1)}`);
  });
}

function exportRoute(server: FastifyInstance, { store, groups, access, log }: ArchiveRouteParts): void {
  server.get('/api/archives/export', async (request, reply) => {
    const parameters = new Parameters(request.query, [...SELECTION_PARAMETERS, 'format']);
    const format = parameters.choice('format', EXPORT_FORMATS);
    const grant = grantOf(request);
    const { selection, streams } = readSelection(parameters, groups, grant);
    const names = new Map<string, string>(streams.map(({ id, name }) => [id, name]));
    const bounded = { ...selection, toMs: selection.toMs ?? Date.now() + 1 };
    const lines = exportLines(
      store,
      bounded,
      format,
      (stream) => names.get(stream) ?? stream,
      limitsFor(reply, undefined),
    );
    const granted = whileGranted(lines, access, grant, (now) => mayReadAll(streams, groups, now));
    return sendFile(log, reply, granted, `lines.${format === 'ndjson' ? 'ndjson' : 'tsv'}.gz`);
  });
}

function fileRoute(server: FastifyInstance, { catalog, access, log }: ArchiveRouteParts): void {
  server.get<{ Params: { '*': string } }>('/api/archives/*', async (request, reply) => {
    const parameters = new Parameters(request.query, ['format']);
    const format = parameters.choice('format', ['stored', ...EXPORT_FORMATS]);
    const file = await findFile(requireCatalog(catalog), request, request.params['*']);
    const name = file.key.slice(file.key.lastIndexOf('/') + 1);
    const mayReadFile = (now: Grant): boolean => mayRead(file, now);
    if (format !== 'stored')
      return sendFile(
        log,
        reply,
        whileGranted(converted(requireCatalog(catalog), file, format), access, grantOf(request), mayReadFile),
        `${name.split('.')[0]}.${format === 'ndjson' ? 'ndjson' : 'tsv'}.gz`,
      );
    reply.header('Content-Disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"`);
    reply.header('Content-Length', file.bytes);
    if (file.listed) reply.header('Repr-Digest', digestOf(file.listed.sha256));
    reply.type(file.key.endsWith('.gz') ? 'application/gzip' : 'text/plain; charset=utf-8');
    const bytes = await requireCatalog(catalog).storage.read(file.key);
    return reply.send(Readable.from(whileGranted(bytes, access, grantOf(request), mayReadFile)));
  });
}

/** @throws TailraceError `not_found` when nothing is archived */
function requireCatalog(catalog: ArchiveCatalog | undefined): ArchiveCatalog {
  if (!catalog) throw new TailraceError('not_found', NO_ARCHIVE);
  return catalog;
}

/** @throws TailraceError `not_found`, also for what may not be known */
async function findFile(
  catalog: ArchiveCatalog,
  request: FastifyRequest,
  key: string,
): Promise<ArchivedFile> {
  const file = isSafeKey(key) ? await catalog.find(key) : undefined;
  if (file && mayRead(file, grantOf(request))) return file;
  throw new TailraceError('not_found', 'There is no such file in the archive: GET /api/archives lists them.');
}

async function* converted(
  catalog: ArchiveCatalog,
  file: ArchivedFile,
  format: (typeof EXPORT_FORMATS)[number],
): AsyncGenerator<Buffer> {
  const names = new Map<string, string>(file.listed?.streams.map(({ id, name }) => [id, name]));
  const write = exporter(format, (stream) => names.get(stream) ?? stream);
  const lines = new FileLines(file.key, file.format === 'text' ? undefined : file.format);
  let number = 0;
  const found = (line: ReadLine): FoundLine => ({
    stream: (line.stream ?? '') as AppId,
    sequence: line.position ?? ++number,
    timeMs: line.timeMs,
    receivedAtMs: line.receivedAtMs,
    record: Buffer.from(line.record),
  });
  for await (const texts of textLines(await catalog.storage.read(file.key), file.key))
    yield write(lines.take(texts).map(found));
  yield write(lines.end().map(found));
}

function sendFile(
  log: ViewerParts['log'],
  reply: FastifyReply,
  content: AsyncIterable<Buffer>,
  name: string,
): FastifyReply {
  const packed = createGzip();
  pipeline(Readable.from(content), packed, (error) => {
    if (error && !reply.raw.destroyed) log.warn({ err: error }, 'a download ended early');
  });
  reply.header('Content-Disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"`);
  return reply.type('application/gzip').send(packed);
}

/** Files that others have put there are for owners of all: nobody knows whose lines are in them. */
export function mayRead({ listed }: ArchivedFile, grant: Grant): boolean {
  return grant.role === 'owner' || (listed !== undefined && grant.may(listed.group.id, 'reader'));
}

function fileView({ key, bytes, format, listed, period }: ArchivedFile): object {
  const time = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(ms).toISOString();
  return {
    name: key,
    format,
    bytes,
    group: listed?.group ?? null,
    lines: listed?.lines ?? null,
    firstAt: listed?.firstAt ?? time(period?.fromMs),
    lastAt: listed?.lastAt ?? time(period?.toMs),
    sha256: listed?.sha256 ?? null,
    streams: listed?.streams ?? [],
  };
}

function hitJson(hit: ArchiveHit): string {
  const more = { file: hit.file, ...(hit.app !== undefined && { app: hit.app }) };
  return `${foundLineJson(hit).slice(0, -1)},${JSON.stringify(more).slice(1)}`;
}

/** RFC 9530 section 2. */
function digestOf(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
}
