/** The page and the API of an add-on service: for the server alone, which asks in the browser's place with the key of the service. */

import { join } from 'node:path';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { readAuthorization } from '../../../common/http/authorization.ts';
import { discardBody } from '../../../common/http/discard-body.ts';
import { explainRefusal } from '../../../common/http/request-refusal.ts';
import {
  FRAMING_PAGE_SECURITY_HEADERS,
  loadStaticFiles,
  PAGE_SECURITY_HEADERS,
  sendStaticFile,
} from '../../../common/http/static-files.ts';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';
import { isSameSecret } from '../../../common/secret-comparison.ts';
import { logLine } from './run-service.ts';

/**
 * A Fastify server that answers with this project's errors.
 *
 * @param bodyLimit bytes of a request
 */
export function createServiceServer(bodyLimit = 1_048_576): FastifyInstance {
  const server = Fastify({
    logger: false,
    bodyLimit,
    forceCloseConnections: true,
    return503OnClosing: false,
  });
  server.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, request, reply) => {
    await discardBody(request.raw);
    reply.removeHeader('connection');
    if (error instanceof TailraceError)
      return reply.code(error.status).send({ id: error.code, message: error.message });
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send(explainRefusal(status, error.message, request));
    logLine('error', `a request failed: ${error.stack ?? error.message}`);
    return reply.code(500).send({ id: 'internal_server_error', message: 'Internal server error.' });
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ id: 'not_found', message: 'There is nothing at this address.' }),
  );
  return server;
}

/** Options of a page's routes. */
export interface PageOptions {
  /** Folder of `src/web/addons`: `mail`. */
  readonly page: string;
  /** Whoever asks for anything needs it, as Bearer. */
  readonly key: string;
  /** Does it frame documents of its service, which have a Content-Security-Policy of their own? */
  readonly hasFrames?: boolean;
}

/**
 * Serves the built page at `/`, and what `routes` adds, to whoever has the key. Answers carry the headers of a page; one that shows what
 * users sent sets a Content-Security-Policy of its own.
 */
export async function servePage(
  server: FastifyInstance,
  { page, key, hasFrames }: PageOptions,
  routes: (server: FastifyInstance) => void,
): Promise<void> {
  const headers = hasFrames ? FRAMING_PAGE_SECURITY_HEADERS : PAGE_SECURITY_HEADERS;
  const files = loadStaticFiles(join(PACKAGE_ROOT, 'dist', 'addon-pages', page));
  await server.register(async (pages) => {
    pages.addHook('onRequest', async (request, reply) => {
      requireKey(request, key);
      reply.headers({ ...PAGE_SECURITY_HEADERS, 'Cache-Control': 'no-store' });
    });
    for (const [path, file] of files)
      pages.get(path, (request: FastifyRequest, reply: FastifyReply) =>
        sendStaticFile(file, request, reply, headers),
      );
    routes(pages);
  });
}

/** @throws TailraceError `unauthorized` for a request without the key, as Bearer or as a password */
export function requireKey(request: FastifyRequest, key: string): void {
  const credentials = readAuthorization(request.headers.authorization);
  if (!isSameSecret(credentials.kind === 'key' ? credentials.key : '', key))
    throw new TailraceError('unauthorized', 'Open this page with tailrace addons:open.');
}
