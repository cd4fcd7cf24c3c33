import { createHash, randomUUID } from 'node:crypto';

/** Requests that are remembered because they may come again. */
const OPEN_MAX = 1_000;

/** A large request without a name of its own. */
export interface UnnamedRequest {
  readonly name: string;
  /** All of it is stored, and the sender was told: the same bytes again are another request. */
  done(): void;
}

/**
 * Names for requests that have none (`Logplex-Frame-Id`) and take several batches. When one of these can't be stored, those
 * before it are, and the sender is asked to send everything again. So such a request gets a name, which it keeps until it is
 * stored as a whole: the same bytes again are the same request then, and what is stored already is not stored twice.
 */
export class UnnamedRequests {
  /** By the digest of sender and body, oldest first. */
  private readonly open = new Map<string, string>();

  /** A new name, or the one under which the same request has failed. */
  begin(sender: string, body: Uint8Array): UnnamedRequest {
    const digest = createHash('sha256').update(`${sender}\n`).update(body).digest('base64');
    const name = this.open.get(digest) ?? `unnamed/${randomUUID()}`;
    this.open.delete(digest);
    const oldest = this.open.size < OPEN_MAX ? undefined : this.open.keys().next().value;
    if (oldest !== undefined) this.open.delete(oldest);
    this.open.set(digest, name);
    return { name, done: () => void this.open.delete(digest) };
  }
}
