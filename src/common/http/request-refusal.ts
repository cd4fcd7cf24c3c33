/** Why a request is refused before a route sees it, by Fastify or for its body. */
import type { FastifyRequest } from 'fastify';
import { type ErrorCode, TailraceError } from '../errors.ts';

/** The id and sentence for one, by the status below 500 and the message that Fastify has for it. */
export function explainRefusal(
  status: number,
  message: string,
  { headers, routeOptions }: FastifyRequest,
): { readonly id: ErrorCode; readonly message: string } {
  if (status === 413)
    return {
      id: 'too_large',
      message: `The body is over ${routeOptions.bodyLimit} bytes, which is all that is taken here.`,
    };
  if (status === 415) {
    const type = headers['content-type']?.split(';', 1)[0].trim() || '(none)';
    return {
      id: 'unsupported_type',
      message: `Content-Type ${type} isn't supported: send application/json.`,
    };
  }
  return { id: 'bad_request', message };
}

/** @throws TailraceError `unsupported_type` for a body that is packed */
export function assertNotEncoded(encoding: string | undefined): void {
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return;
  throw new TailraceError(
    'unsupported_type',
    `Content-Encoding "${encoding}" isn't understood here: send the body as it is.`,
  );
}

/** What is wrong with a text that Fastify hasn't taken as JSON. */
export function unreadableJson(text: string): TailraceError {
  try {
    JSON.parse(text);
  } catch {
    return new TailraceError('bad_request', "The body isn't valid JSON, as Content-Type says.");
  }
  // What code might take for the prototype of an object.
  return new TailraceError('bad_request', 'Nothing in a body can be called "__proto__".');
}
