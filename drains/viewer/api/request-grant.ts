import type { FastifyRequest } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import type { Grant } from '../access/grant.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What whoever makes the request may do, once that is known. */
    viewerGrant?: Grant;
  }
}

/** What whoever makes a request may do: of every route that was registered behind the sign-in. */
export function grantOf({ viewerGrant }: FastifyRequest): Grant {
  if (!viewerGrant) throw new TailraceError('unauthorized', 'Sign in first.');
  return viewerGrant;
}
