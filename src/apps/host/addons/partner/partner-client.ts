/** Requests to a partner's service ("Add-on Partner API Reference", version 3): bounded in time and size, and never to where drains may not go. */
import type { Socket } from 'node:net';
import { reasonOf } from '../../../../common/errors.ts';
import { assertJsonWithinLimits, type JsonLimits } from '../../../../common/limits/json-scanner.ts';
import { printableReason } from '../../../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../../../logs/drains/options/target-policy.ts';
import { Dialer } from '../../../../logs/drains/sinks/dialer.ts';
import type { PartnerManifest } from './manifest.ts';

/** What the protocol gives a partner for its whole answer. */
const ANSWER_TIMEOUT_MS = 25_000;
/** Config vars of an app are 64 KB at the most. */
const ANSWER_BYTES_MAX = 256 * 1_024;
const ANSWER_LIMITS: JsonLimits = { depth: 16, keys: 1_000, containers: 1_000 };

/** An answer that arrived whole. */
export interface PartnerAnswer {
  readonly status: number;
  /** Undefined for an empty body, and for one that is no JSON. */
  readonly json: unknown;
  /** Why the body can't be used, for a sentence; undefined when it can. */
  readonly fault?: string;
}

/** There is no answer: whether the request was taken is unknown. */
export class PartnerFailure extends Error {
  /** @param message goes on after the partner's name: `did not answer within 25 seconds` */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PartnerFailure';
  }
}

export interface PartnerClientOptions {
  readonly policy: TargetPolicy;
  readonly version: string;
  readonly timeoutMs?: number;
}

/**
 * One for all partners: each request has a connection of its own, and a time limit. Redirects aren't followed, but said in the answer's
 * `fault`.
 */
export class PartnerClient {
  private readonly options: PartnerClientOptions;
  private readonly dialer: Dialer;
  private readonly closing = new AbortController();

  constructor(options: PartnerClientOptions) {
    this.options = options;
    this.dialer = new Dialer(options.policy);
  }

  /**
   * @param uuid of the add-on; left out: a new one is asked for
   * @throws PartnerFailure
   */
  async request(
    manifest: PartnerManifest,
    method: 'POST' | 'PUT' | 'DELETE',
    uuid?: string,
    body?: unknown,
  ): Promise<PartnerAnswer> {
    const { version, timeoutMs = ANSWER_TIMEOUT_MS } = this.options;
    const url = new URL(manifest.baseUrl);
    const secure = url.protocol === 'https:';
    const target = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (secure ? 443 : 80),
      tls: secure ? {} : undefined,
    };
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([timeout, this.closing.signal]);
    const { Client } = await import('undici');
    // A few requests in a month: no connection is kept.
    const client = new Client(url.origin, {
      connect: (_, connected) => {
        this.dialer.dial(target, undefined, signal).then(
          (socket: Socket) => connected(null, socket),
          (error: Error) => connected(error, null),
        );
      },
      pipelining: 1,
    });
    try {
      const response = await client.request({
        method,
        path: `${url.pathname}${uuid === undefined ? '' : `/${uuid}`}${url.search}`,
        headers: {
          Accept: 'application/vnd.heroku-addons+json; version=3',
          Authorization: `Basic ${Buffer.from(`${manifest.id}:${manifest.password}`).toString('base64')}`,
          'User-Agent': `tailrace/${version}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
      });
      const bytes = await readBounded(response.body);
      const { location } = response.headers;
      if (response.statusCode >= 300 && response.statusCode < 400 && typeof location === 'string')
        return {
          status: response.statusCode,
          json: undefined,
          fault: `redirected to ${printableReason(location).slice(0, 200)}, which isn't followed: its manifest needs the final address`,
        };
      return { status: response.statusCode, ...parseJson(bytes) };
    } catch (error) {
      if (error instanceof PartnerFailure) throw error;
      if (timeout.aborted)
        throw new PartnerFailure(`did not answer within ${timeoutMs / 1_000} seconds`, { cause: error });
      if (this.closing.signal.aborted)
        throw new PartnerFailure('was not waited for, since this server stops', { cause: error });
      const reason = error instanceof Error ? error.message : reasonOf(error);
      throw new PartnerFailure(`can't be reached (${reason})`, { cause: error });
    } finally {
      void client.destroy().catch(() => undefined);
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.closing.abort();
  }
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX)
      throw new PartnerFailure(`answered with more than ${ANSWER_BYTES_MAX / 1_024} KB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(bytes: Buffer): Pick<PartnerAnswer, 'json' | 'fault'> {
  if (bytes.toString('latin1').trim() === '') return { json: undefined };
  try {
    assertJsonWithinLimits(bytes, ANSWER_LIMITS);
    return { json: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return { json: undefined, fault: 'answered with something that is no JSON' };
  }
}
