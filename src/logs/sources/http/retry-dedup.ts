import { createHash, randomUUID } from 'node:crypto';
import { LruCache } from '../../../common/lru-cache.ts';

/** Requests that are remembered because they may come again. */
const REMEMBERED_MAX = 1_000;

/** A large request without a name of its own. */
export interface RetriableRequest {
  readonly frameId: string;
  /** All of it is stored, and the sender was told: the same bytes again are another request. */
  forget(): void;
}

/**
 * Names for requests that have none (`Logplex-Frame-Id`) and take several batches. When one of these can't be stored, those
 * before it are, and the sender is asked to send everything again. So such a request gets a name, which it keeps until it is
 * stored as a whole: the same bytes again are the same request then, and what is stored already is not stored twice.
 */
export class RetryDeduplicator {
  /** By the digest of sender and body. */
  private readonly frameIds = new LruCache<string, string>(REMEMBERED_MAX);

  /** A new name, or the one under which the same request has failed. */
  frameIdFor(sender: string, body: Uint8Array): RetriableRequest {
    const digest = createHash('sha256').update(`${sender}\n`).update(body).digest('base64');
    const frameId = this.frameIds.get(digest) ?? `unnamed/${randomUUID()}`;
    this.frameIds.set(digest, frameId);
    return { frameId, forget: () => this.frameIds.delete(digest) };
  }
}
