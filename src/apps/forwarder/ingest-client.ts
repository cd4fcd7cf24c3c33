import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { LineBatch } from './line-batch.ts';

export interface IngestAnswer {
  /** HTTP status. */
  status: number;
  /** From `Retry-After`; 0 if there was none. */
  retryAfterMs: number;
}

/** The router answers after its store has the batch. Connecting is part of it. */
const ANSWER_TIMEOUT_MS = 30_000;
const RETRY_AFTER_MAX_MS = 30_000;

/** A router's `POST /logs`, over one connection that is kept open. */
export class IngestClient {
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #authorization: string;

  /**
   * @param url where the router is, `http://127.0.0.1:8601`; a path in it is kept
   * @param key an API key that may write to the app
   * @throws if the URL isn't one
   */
  constructor(url: string, key: string) {
    this.#url = new URL(url);
    this.#url.pathname = `${this.#url.pathname.replace(/\/+$/, '')}/logs`;
    this.#authorization = `Bearer ${key}`;
    const settings = { keepAlive: true, maxSockets: 1 };
    this.#agent = this.#url.protocol === 'https:' ? new SecureAgent(settings) : new Agent(settings);
  }

  /** @throws if there is no answer: refused, reset, timed out, aborted */
  async post(batch: LineBatch, signal: AbortSignal): Promise<IngestAnswer> {
    const answer = await this.#send(batch, signal);
    // Unread, the answer's body would keep the connection busy. What it says is in the status.
    answer.resume();
    const seconds = Number(answer.headers['retry-after'] ?? 0);
    const retryAfterMs = Number.isFinite(seconds)
      ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, seconds * 1000))
      : 0;
    return { status: answer.statusCode ?? 0, retryAfterMs };
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #send(batch: LineBatch, signal: AbortSignal): Promise<IncomingMessage> {
    const body = batch.body();
    const send = this.#url.protocol === 'https:' ? secureRequest : request;
    return new Promise((resolve, reject) => {
      const sent = send(
        this.#url,
        {
          method: 'POST',
          agent: this.#agent,
          signal,
          headers: {
            'content-type': 'application/logplex-1',
            'content-length': body.length,
            authorization: this.#authorization,
            'logplex-msg-count': String(batch.lineCount),
            'logplex-frame-id': batch.frameId,
            'user-agent': 'tailrace-runner',
          },
        },
        (answer) => {
          clearTimeout(late);
          answer.on('error', () => {}); // the status has arrived
          resolve(answer);
        },
      );
      const late = setTimeout(
        () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`)),
        ANSWER_TIMEOUT_MS,
      );
      sent.on('error', (error) => {
        clearTimeout(late);
        reject(error);
      });
      sent.end(body);
    });
  }
}
