/** Lines of the past from files: sent in pieces (`/api/streams/ID/uploads`), or out of the archive. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { ArchiveCatalog } from '../../archive/catalog.ts';
import { FILE_FORMATS, type FileFormat } from '../../archive/formats/read-lines.ts';
import { type ImportResult, importFile } from '../../archive/import-file.ts';
import { isSafeKey } from '../../archive/storage/archive-storage.ts';
import { importStoredFile } from '../../archive/stored-import.ts';
import type { Uploads } from '../../archive/uploads.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { ViewerParts } from '../../parts.ts';
import { readBody } from '../body.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { mayRead } from './archive-routes.ts';

export interface ImportRouteParts extends ViewerParts {
  readonly catalog: ArchiveCatalog | undefined;
  readonly uploads: Uploads;
  /** For files of the archive, while they are read. */
  readonly folder: string;
}

/** Of a file that is sent. */
const PIECE_BYTES_MAX = 8 << 20;
const NAME_LENGTH_MAX = 200;

interface UploadPath {
  Params: { stream: string; upload: string };
}

export function registerImportRoutes(server: FastifyInstance, parts: ImportRouteParts): void {
  const { groups, uploads, store, catalog, folder } = parts;

  server.register(async (pieces) => {
    pieces.removeAllContentTypeParsers();
    pieces.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: PIECE_BYTES_MAX },
      (_request, body, done) => done(null, body),
    );
    pieces.put<UploadPath>(
      '/api/streams/:stream/uploads/:upload',
      { bodyLimit: PIECE_BYTES_MAX },
      async (request) => {
        const parameters = new Parameters(request.query, ['offset']);
        const stream = ownStream(request, request.params.stream);
        const offset = parameters.count('offset', 0, 0, 999_999_999_999);
        const piece = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        return { bytes: await uploads.add(stream.id, request.params.upload, offset, piece) };
      },
    );
  });

  server.post<{ Params: { stream: string } }>('/api/streams/:stream/import', async (request) => {
    const stream = ownStream(request, request.params.stream);
    const { upload, name, format } = readBody(request, {
      upload: 'string',
      name: 'string?',
      format: 'string?',
    });
    const path = await uploads.find(stream.id, upload);
    try {
      const shown = (name ?? 'The file').slice(0, NAME_LENGTH_MAX);
      const result = await importFile(store, {
        stream: stream.id,
        path,
        name: shown,
        format: readFormat(format),
      });
      return resultView(result);
    } finally {
      await uploads.remove(stream.id, upload);
    }
  });

  server.post('/api/archives/import', async (request) => {
    const grant = grantOf(request);
    const { name, stream: id } = readBody(request, { name: 'string', stream: 'string?' });
    const file = catalog && isSafeKey(name) ? await catalog.find(name) : undefined;
    if (!catalog || !file || !mayRead(file, grant))
      throw new TailraceError(
        'not_found',
        'There is no such file in the archive: GET /api/archives lists them.',
      );
    const targets =
      id === undefined
        ? (file.listed?.streams ?? []).map((range) => ({
            stream: ownStream(request, range.id).id,
            onlyStream: range.id,
          }))
        : [{ stream: ownStream(request, id).id, onlyStream: undefined }];
    if (targets.length === 0)
      throw new TailraceError(
        'invalid_params',
        `${name} doesn't say which streams its lines are of: name the one that they go to with "stream".`,
      );
    const results = await importStoredFile(file, targets, { store, catalog, folder });
    return {
      lines: results.reduce((sum, { lines }) => sum + lines, 0),
      streams: results.map((result, i) => ({ stream: targets[i].stream, ...resultView(result) })),
    };
  });

  /** @throws TailraceError `not_found`, `forbidden` */
  function ownStream(request: FastifyRequest, id: string): LogStreamRecord {
    const grant = grantOf(request);
    const stream = groups.findStream(id);
    if (!stream || !grant.may(stream.group, 'reader'))
      throw new TailraceError('not_found', `Couldn't find the stream ${id}: name another one for the lines.`);
    grant.require(stream.group, 'owner');
    return stream;
  }
}

function resultView({ lines, unreadable, format, importId, problem }: ImportResult): object {
  return { lines, unreadable, format: format ?? null, importId, ...(problem !== undefined && { problem }) };
}

function readFormat(text: string | undefined): FileFormat | undefined {
  if (text === undefined) return undefined;
  const format = FILE_FORMATS.find((one) => one === text);
  if (!format) throw new TailraceError('invalid_params', `format must be ${FILE_FORMATS.join(' or ')}.`);
  return format;
}
