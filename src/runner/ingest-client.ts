import { Client } from 'undici';
import type { LineBatch } from './line-batch.ts';

export interface IngestAnswer {
  /** HTTP status. */
  status: number;
  /** From `Retry-After`; 0 if there was none. */
  retryAfterMs: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** The router answers after its store has the batch. */
const ANSWER_TIMEOUT_MS = 30_000;
const RETRY_AFTER_MAX_MS = 30_000;

/** A router's `POST /logs`, over one connection that is kept open. */
export class IngestClient {
  readonly #client: Client;
  readonly #path: string;
  readonly #authorization: string;

  /**
   * @param url where the router is, `http://127.0.0.1:8601`; a path in it is kept
   * @param key an API key that may write to the app
   * @throws if the URL isn't one
   */
  constructor(url: string, key: string) {
    const { origin, pathname } = new URL(url);
    this.#path = `${pathname.replace(/\/+$/, '')}/logs`;
    this.#authorization = `Bearer ${key}`;
    this.#client = new Client(origin, {
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
    });
  }

  /** @throws if there is no answer: refused, reset, timed out, aborted */
  async post(batch: LineBatch, signal: AbortSignal): Promise<IngestAnswer> {
    const { statusCode, headers, body } = await this.#client.request({
      method: 'POST',
      path: this.#path,
      headers: {
        'content-type': 'application/logplex-1',
        authorization: this.#authorization,
        'logplex-msg-count': String(batch.lineCount),
        'logplex-frame-id': batch.frameId,
        'user-agent': 'tailrace-runner',
      },
      body: batch.body(),
      signal,
    });
    // Unread, the answer's body would keep the connection busy. What it says is in the status.
    await body.dump();
    const seconds = Number(headers['retry-after'] ?? 0);
    const retryAfterMs = Number.isFinite(seconds)
      ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, seconds * 1000))
      : 0;
    return { status: statusCode, retryAfterMs };
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }
}
