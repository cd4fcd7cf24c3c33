import { createHash, randomUUID } from 'node:crypto';
import { TimeSlices } from '../../../common/limits/turns.ts';
import { LruCache } from '../../../common/lru-cache.ts';

/** Requests that are kept because they may be retried. */
const REMEMBERED_MAX = 1_000;
/** Digested between two looks at the clock. */
const DIGEST_BYTES = 131_072;

/** What a request is recognized by. */
export function digestBody(sender: string, body: Uint8Array): string {
  return createHash('sha256').update(`${sender}\n`).update(body).digest('base64');
}

/** The same in slices, for the main thread: a body of megabytes takes milliseconds. */
export async function digestBodyInSlices(sender: string, body: Uint8Array): Promise<string> {
  const hash = createHash('sha256').update(`${sender}\n`);
  const slices = new TimeSlices();
  for (let at = 0; at < body.length; at += DIGEST_BYTES) {
    if (slices.isOver) await slices.next();
    hash.update(body.subarray(at, at + DIGEST_BYTES));
  }
  return hash.digest('base64');
}

/** A large request without a frame id of its own. */
export interface RetriableRequest {
  readonly frameId: string;
  /** All of it is stored, and the sender got the response: the same bytes again are another request. */
  forget(): void;
}

/**
 * Idempotency keys for requests without a frame id (`Logplex-Frame-Id`) that take several batches. When one of these can't be
 * stored, those before it are, and the sender has to send everything again. So such a request gets a frame id, which it keeps
 * until it is stored as a whole: the same bytes again are a retry then, and what is stored already is not stored twice.
 */
export class RetryDeduplicator {
  /** By the digest of sender and body. */
  private readonly frameIds = new LruCache<string, string>(REMEMBERED_MAX);

  /** A new frame id, or the one under which the same request, by its {@link digestBody}, has failed. */
  frameIdFor(digest: string): RetriableRequest {
    const frameId = this.frameIds.get(digest) ?? `unnamed/${randomUUID()}`;
    this.frameIds.set(digest, frameId);
    return { frameId, forget: () => this.frameIds.delete(digest) };
  }
}
