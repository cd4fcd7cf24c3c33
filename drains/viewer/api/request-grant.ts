import type { FastifyRequest } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import type { Access } from '../access/access.ts';
import type { Grant } from '../access/grant.ts';

/** How often it is asked whether a grant still holds when nothing says that it doesn't: a session ends by itself. */
const GRANT_ASKED_MS = 1_000;

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

/**
 * What a long answer is made of, as long as whoever asked may have it: rights, sessions and keys end while it is sent.
 * @param mayRead of what is granted at that moment
 * @throws TailraceError `forbidden` before the first piece that they may not have any more
 */
export async function* whileGranted<T>(
  pieces: AsyncIterable<T>,
  access: Access,
  granted: Grant,
  mayRead: (grant: Grant) => boolean,
): AsyncGenerator<T> {
  let askedMs = performance.now();
  let hasChanged = false;
  const unwatch = access.onChange(() => {
    hasChanged = true;
  });
  try {
    for await (const piece of pieces) {
      if (hasChanged || performance.now() >= askedMs + GRANT_ASKED_MS) {
        hasChanged = false;
        const now = await access.renew(granted);
        if (!now || !mayRead(now))
          throw new TailraceError('forbidden', 'Whoever asked for this may not read it any more.');
        askedMs = performance.now();
      }
      yield piece;
    }
  } finally {
    unwatch();
  }
}
