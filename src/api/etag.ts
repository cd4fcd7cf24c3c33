import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { matchesEtag } from '../common/http/static-files.ts';

/** Adds an `ETag` to responses to GET, and responds 304 to a client that has this version (RFC 9110, 8.8.3 and 13.1.2). */
export function addEtags(api: FastifyInstance): void {
  api.addHook('onSend', async (request, reply, payload) => {
    if (request.method !== 'GET' || typeof payload !== 'string') return payload;
    if (reply.statusCode !== 200 && reply.statusCode !== 206) return payload;
    const etag = entityTag(payload);
    reply.header('ETag', etag);
    if (!matchesEtag(request.headers['if-none-match'], etag)) return payload;
    reply.code(304).removeHeader('content-length').removeHeader('content-type');
    return '';
  });
}

/** The entity tag of a response with this body. */
export function entityTag(payload: string): string {
  return `"${createHash('sha256').update(payload).digest('base64url').slice(0, 27)}"`;
}
