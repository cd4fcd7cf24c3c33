/** Requests that Fastify refuses by itself. */
import type { FastifyRequest } from 'fastify';
import type { ErrorCode } from '../errors.ts';

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
