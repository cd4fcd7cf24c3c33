/** Files of a built page, served from memory: by the API, and by the add-on services that have a page. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Nothing but this server's own files and connections, nothing inline, no way to make HTML out of a text (Trusted Types),
 * and no other page may frame it.
 */
const DIRECTIVES = [
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
];

/** Headers of every page. */
export const PAGE_SECURITY_HEADERS = {
  'Content-Security-Policy': DIRECTIVES.join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

/** Of a page that frames what it got from others, with a policy of its own, from this server. */
export const FRAMING_PAGE_SECURITY_HEADERS = {
  ...PAGE_SECURITY_HEADERS,
  'Content-Security-Policy': [...DIRECTIVES, "frame-src 'self'"].join('; '),
} as const;

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
  /** Made when it is asked for first. */
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly cache: string;
}

/** Answers with a file, or with 304 (RFC 9110 section 13.1.2) to whom has it. */
export function sendStaticFile(
  file: StaticFile,
  request: FastifyRequest,
  reply: FastifyReply,
  securityHeaders: Readonly<Record<string, string>> = PAGE_SECURITY_HEADERS,
): FastifyReply {
  reply.headers({
    ...securityHeaders,
    ETag: file.etag,
    'Cache-Control': file.cache,
    Vary: 'Accept-Encoding',
  });
  if (matchesEtag(request.headers['if-none-match'], file.etag)) return reply.code(304).send();
  reply.type(file.type);
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.body);
  return reply.header('Content-Encoding', 'gzip').send(file.gzipped);
}

/** All files of a built page by the path they are served at; empty where there is no such folder. */
export function loadStaticFiles(folder: string): Map<string, StaticFile> {
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
    let gzipped: Buffer | undefined;
    files.set(path, {
      type,
      body,
      get gzipped() {
        gzipped ??= gzipSync(body, { level: 9 });
        return gzipped;
      },
      etag,
      cache,
    });
  }
  return files;
}

/** Does `If-None-Match` (RFC 9110 section 13.1.2), a list or `*`, name this entity tag? */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
}
