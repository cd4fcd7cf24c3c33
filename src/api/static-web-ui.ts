/** The web UI at `/`: what Vite has built of src/web, served from memory without a key. The API that it calls needs one. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../common/errors.ts';
import { PACKAGE_ROOT } from '../common/package-info.ts';
import { matchesEtag } from './etag.ts';

/**
 * Nothing but this server's own files and connections, nothing inline, no way to make HTML out of a text (Trusted Types),
 * and no other page may frame it.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const SECURITY_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly cache: string;
}

/** Serves the web UI; where it wasn't built, `/` responds with how to build it. */
export function webUiRoutes(server: FastifyInstance): void {
  const files = loadStaticFiles();
  for (const [path, file] of files)
    server.get(path, { exposeHeadRoute: true }, async (request, reply) => sendFile(file, request, reply));
  if (!files.has('/'))
    server.get('/', async () => {
      throw new TailraceError('not_found', 'The live page was not built: run `npm run build`.');
    });
}

function sendFile(file: StaticFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({
    ...SECURITY_HEADERS,
    ETag: file.etag,
    'Cache-Control': file.cache,
    Vary: 'Accept-Encoding',
  });
  if (matchesEtag(request.headers['if-none-match'], file.etag)) return reply.code(304).send();
  reply.type(file.type);
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.body);
  return reply.header('Content-Encoding', 'gzip').send(file.gzipped);
}

/** All files of the built page by the path they are served at. */
function loadStaticFiles(): Map<string, StaticFile> {
  const folder = join(PACKAGE_ROOT, 'dist', 'page');
  const files = new Map<string, StaticFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = CONTENT_TYPES[extname(name)];
    if (!type) continue;
    const body = readFileSync(join(folder, name));
    const path = name === 'index.html' ? '/' : `/${name.replaceAll('\\', '/')}`;
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    // The names of what is under assets/ change with their content.
    const cache = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    files.set(path, { type, body, gzipped: gzipSync(body, { level: 9 }), etag, cache });
  }
  return files;
}
