import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { parseCount } from '../../common/http/fields.ts';
import { Deadline } from '../../common/limits/deadline.ts';
import { trimTrailing } from '../../common/limits/trim-trailing.ts';
import type { LineBatch } from './line-batch.ts';

export interface IngestResponse {
  /** HTTP status. */
  status: number;
  /** From `Retry-After`; 0 if there was none. */
  retryAfterMs: number;
}

/** The router responds after its store has the batch. Connecting is part of it. */
const RESPONSE_TIMEOUT_MS = 30_000;
const RETRY_AFTER_MAX_MS = 30_000;

/** A router's `POST /logs`, over one connection that is kept open. */
export class IngestClient {
  private readonly url: URL;
  private readonly agent: Agent;
  private readonly authorization: string;
  private readonly responseTimeoutMs: number;

  /**
   * @param url where the router is, `http://127.0.0.1:8601`; a path in it is kept
   * @param key an API key that may write to the app
   * @param responseTimeoutMs how long a response may take, with all of its body
   * @throws if the URL isn't one
   */
  constructor(url: string, key: string, responseTimeoutMs = RESPONSE_TIMEOUT_MS) {
    this.responseTimeoutMs = responseTimeoutMs;
    this.url = new URL(url);
    this.url.pathname = `${trimTrailing(this.url.pathname, '/')}/logs`;
    this.authorization = `Bearer ${key}`;
    const settings = { keepAlive: true, maxSockets: 1 };
    this.agent = this.url.protocol === 'https:' ? new SecureAgent(settings) : new Agent(settings);
  }

  /** @throws if there is no response: refused, reset, timed out, aborted */
  async post(batch: LineBatch, signal: AbortSignal): Promise<IngestResponse> {
    const response = await this.send(batch, signal);
    // Unread, the response's body would keep the connection busy. The status is enough.
    response.resume();
    const seconds = parseCount(response.headers['retry-after']) ?? 0;
    const retryAfterMs = Math.min(RETRY_AFTER_MAX_MS, seconds * 1000);
    return { status: response.statusCode ?? 0, retryAfterMs };
  }

  /** Cuts the connections: a request that is under way fails. */
  async close(): Promise<void> {
    this.agent.destroy();
  }

  private send(batch: LineBatch, signal: AbortSignal): Promise<IncomingMessage> {
    const body = batch.body();
    const send = this.url.protocol === 'https:' ? secureRequest : request;
    return new Promise((resolve, reject) => {
      const outgoing = send(
        this.url,
        {
          method: 'POST',
          agent: this.agent,
          signal,
          headers: {
            'content-type': 'application/logplex-1',
            'content-length': body.length,
            authorization: this.authorization,
            'logplex-msg-count': String(batch.lineCount),
            'logplex-frame-id': batch.frameId,
            'user-agent': 'tailrace-runner',
          },
        },
        (response) => {
          // One whose end doesn't come keeps the connection, of which there is one.
          const isOver = (): void => timeout.clear();
          response.on('end', isOver).on('close', isOver).on('error', isOver); // the status has arrived
          resolve(response);
        },
      );
      const timeout = new Deadline(this.responseTimeoutMs, () =>
        outgoing.destroy(new Error(`no answer within ${this.responseTimeoutMs / 1_000} s`)),
      ).unref();
      outgoing.on('error', (error) => {
        timeout.clear();
        reject(error);
      });
      outgoing.end(body);
    });
  }
}
