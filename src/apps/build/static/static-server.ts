/**
 * The web dyno of a static site: `node static-server.mjs` in the app's folder. It is copied into the slug, and needs nothing but
 * Node.js.
 */

import { createReadStream, readFileSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { isSameSecret } from '../../../common/secret-comparison.ts';
import { contentTypeOf } from './content-types.ts';
import { parseStaticConfig, type StaticConfig } from './static-config.ts';
import {
  candidateFiles,
  cleanPath,
  headersFor,
  parseFileRange,
  readStaticRequest,
  redirectFor,
  routeFor,
} from './static-request.ts';

/** Texts above this are compressed as they are sent. */
const GZIP_FROM_BYTES = 1_024;

const config = readConfig();
const root = await realpath(config.root);
const server = createServer((request, response) => {
  respond(request, response).catch((error: unknown) => {
    // A client that goes away in the middle is nobody's fault.
    if (!response.headersSent) sendText(response, 500, 'Internal Server Error');
    else response.destroy();
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'))
      process.stderr.write(`${request.method} ${request.url}: ${String(error)}\n`);
  });
});
server.keepAliveTimeout = 95_000; // longer than the HTTP router keeps its connections
const port = Number(process.env.PORT ?? 8080);
server.listen(port, () => process.stdout.write(`serves ${config.root} on port ${port}\n`));
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

function readConfig(): StaticConfig {
  let text: string;
  try {
    text = readFileSync('static.json', 'utf8');
  } catch {
    return parseStaticConfig(undefined, process.env);
  }
  return parseStaticConfig(JSON.parse(text.replace(/^\ufeff/, '')) as Record<string, unknown>, process.env);
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url: target = '', headers } = request;
  const forwarded = headers['x-forwarded-proto'];
  const protocol = typeof forwarded === 'string' ? forwarded.split(',').at(-1)?.trim() : undefined;
  const read = readStaticRequest({ method, target, host: headers.host ?? '', protocol }, config);
  if (read.kind === 'redirect') return redirect(response, read.status, read.location);
  if (!isAuthorized(headers.authorization)) {
    response.setHeader('WWW-Authenticate', 'Basic realm="Restricted", charset="UTF-8"');
    return sendText(response, 401, 'Unauthorized');
  }
  if (read.kind === 'refuse') {
    if (read.status === 405) response.setHeader('Allow', 'GET, HEAD');
    return read.status === 404
      ? notFound(request, response)
      : sendText(response, read.status, read.status === 405 ? 'Method Not Allowed' : 'Bad Request');
  }
  const { path } = read;
  for (const [name, value] of headersFor(path, config)) response.setHeader(name, value);
  const encodedPath = target.split('?')[0];
  const query = target.slice(encodedPath.length);
  for (const candidate of candidateFiles(path, config.cleanUrls)) {
    const file = await fileIn(candidate);
    if (file === undefined) continue;
    if (file === 'folder') return redirect(response, 301, `${encodedPath}/${query}`);
    const clean = config.cleanUrls ? cleanPath(encodedPath) : undefined;
    if (clean !== undefined) return redirect(response, 301, `${clean}${query}`);
    return sendFile(request, response, file, 200);
  }
  const moved = redirectFor(path, config);
  if (moved) return redirect(response, moved.status, moved.url);
  const route = routeFor(path, config);
  const routed = route === undefined ? undefined : await fileIn(route);
  if (routed !== undefined && routed !== 'folder') return sendFile(request, response, routed, 200);
  return notFound(request, response);
}

interface StaticFile {
  readonly file: string;
  readonly size: number;
  readonly mtime: Date;
}

/**
 * A file of the site.
 * @param path from its root; with a slash at the end: is it a folder with an index.html?
 * @returns undefined for what isn't there, or lies outside of the root: a link leads nowhere else
 */
async function fileIn(path: string): Promise<StaticFile | 'folder' | undefined> {
  try {
    const file = await realpath(join(root, path.endsWith('/') ? `${path}index.html` : path));
    if (!file.startsWith(root === sep ? sep : root + sep)) return undefined;
    // What a link is called doesn't matter: what it leads to must be part of the site.
    if (
      file
        .slice(root.length)
        .split(sep)
        .some((part) => part.startsWith('.') && part !== '.well-known')
    )
      return undefined;
    const { size, mtime, ...found } = await stat(file).then((stats) => ({
      size: stats.size,
      mtime: stats.mtime,
      isFile: stats.isFile(),
    }));
    if (!found.isFile) return undefined;
    return path.endsWith('/') ? 'folder' : { file, size, mtime };
  } catch {
    return undefined;
  }
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { file, size, mtime }: StaticFile,
  status: number,
): Promise<void> {
  const { headers, method } = request;
  const type = contentTypeOf(file, config.encoding);
  const compressible = type.includes('charset=') || type === 'image/svg+xml' || type === 'application/wasm';
  const gzip =
    compressible &&
    size >= GZIP_FROM_BYTES &&
    headers.range === undefined &&
    /(^|[\s,])gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[\d.]+\s*)?(,|$)/i.test(
      String(headers['accept-encoding'] ?? ''),
    );
  const etag = `"${Math.floor(mtime.getTime()).toString(36)}-${size.toString(36)}${gzip ? '-gz' : ''}"`;
  const set = (name: string, value: string | number): void => {
    if (!response.hasHeader(name)) response.setHeader(name, value);
  };
  set('Content-Type', type);
  set('ETag', etag);
  set('Last-Modified', mtime.toUTCString());
  set('X-Content-Type-Options', 'nosniff');
  if (compressible) set('Vary', 'Accept-Encoding');
  if (status === 200 && isUnchanged(headers, etag, mtime)) {
    response.removeHeader('Content-Type');
    response.writeHead(304).end();
    return;
  }
  const ranges = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = gzip || status !== 200 || !ranges ? undefined : parseFileRange(headers.range, size);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (gzip) set('Content-Encoding', 'gzip');
  else {
    set('Accept-Ranges', 'bytes');
    response.setHeader('Content-Length', end - start + 1);
  }
  if (range) response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
  response.writeHead(range ? 206 : status);
  if (method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  const stream = createReadStream(file, { start, end });
  if (gzip) await pipeline(stream, createGzip(), response);
  else await pipeline(stream, response);
}

/** RFC 9110 section 13.2.2. */
function isUnchanged(headers: IncomingMessage['headers'], etag: string, mtime: Date): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined)
    return tags === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return since >= Math.floor(mtime.getTime() / 1_000) * 1_000;
}

async function notFound(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const page = config.errorPage === undefined ? undefined : await fileIn(config.errorPage);
  if (page === undefined || page === 'folder') return sendText(response, 404, 'Not Found');
  return sendFile(request, response, page, 404);
}

function redirect(response: ServerResponse, status: number, location: string): void {
  response.setHeader('Location', encodeLocation(location));
  sendText(response, status, `See ${location}`);
}

/** Characters that a header can't hold. */
function encodeLocation(location: string): string {
  return location.replace(/[^\u0021-\u007e]/g, encodeURIComponent);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(response.req.method === 'HEAD' ? undefined : `${text}\n`);
}

/** `basic_auth` with the config vars `BASIC_AUTH_USERNAME` and `BASIC_AUTH_PASSWORD`, as Heroku's. */
function isAuthorized(header: string | undefined): boolean {
  const { BASIC_AUTH_USERNAME: user, BASIC_AUTH_PASSWORD: password } = process.env;
  if (!config.basicAuth && !(user && password)) return true;
  if (!user || !password) return false;
  const given = Buffer.from(/^basic\s+(\S+)$/i.exec(header ?? '')?.[1] ?? '', 'base64');
  return isSameSecret(given.toString(), `${user}:${password}`);
}
