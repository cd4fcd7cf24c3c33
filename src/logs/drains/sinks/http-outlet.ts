import type { Socket } from 'node:net';
import type { Client } from 'undici';
import type { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import type { Sequence } from '../../store/contract.ts';
import type { HttpFormat } from '../http-format.ts';
import { type DrainRecord, type DrainTarget, frameIdSeed, redactUrl } from '../options/drain-record.ts';
import { type LossNotice, type Outlet, OutletError } from '../outlet.ts';
import { frameId, type Shipment } from '../shipment.ts';
import { classifyDrainResponse, parseRetryAfter } from './classify-response.ts';
import { type Dialer, type OnPhase, type TlsOptions, toOutletError } from './dialer.ts';

const RESPONSE_TIMEOUT_MS = 20_000;
/** RFC 9110 section 15.5.14. */
const CONTENT_TOO_LARGE = 413;
/** Bytes of a response that go into the error's message. */
const ERROR_TEXT_BYTES_MAX = 200;

export interface HttpOutletOptions {
  readonly drain: DrainRecord;
  readonly target: DrainTarget;
  readonly tls: TlsOptions;
  readonly format: HttpFormat;
  readonly dialer: Dialer;
  readonly version: string;
  /** Memory for bodies. */
  readonly pool: BufferPool;
  readonly onPhase?: OnPhase;
}

/** Delivers over HTTP and HTTPS: a POST a shipment, one at a time, acknowledged by a 2xx. Redirects aren't followed. */
export class HttpOutlet implements Outlet {
  readonly shipmentBytesMax: number;
  readonly hasFrameIds = true;
  private readonly options: HttpOutletOptions;
  private readonly client: Promise<Client>;
  private readonly path: string;
  private readonly headers: Record<string, string>;
  private readonly closing = new AbortController();
  private socket: Socket | undefined;
  private acceptedUpTo: Sequence = 0;
  lastAnswer = '';

  constructor(options: HttpOutletOptions) {
    const { drain, target, tls, format, dialer, onPhase } = options;
    const { url, host, port, secure } = target;
    this.options = options;
    this.shipmentBytesMax = format.shipmentBytesMax;
    const settings: Client.Options = {
      connect: (_, connected) => {
        dialer.dial({ host, port, tls: secure ? tls : undefined }, onPhase, this.closing.signal).then(
          (socket: Socket) => {
            this.socket = socket;
            connected(null, socket);
          },
          (error: Error) => connected(error, null),
        );
      },
      headersTimeout: RESPONSE_TIMEOUT_MS,
      bodyTimeout: RESPONSE_TIMEOUT_MS,
      pipelining: 1,
    };
    // Imported lazily: only HTTP drains need it.
    this.client = import('undici').then(
      (undici) => new undici.Client(`${url.protocol}//${url.host}`, settings),
    );
    this.path = format.path(url);
    this.headers = {
      'Content-Type': format.contentType,
      'Logplex-Drain-Token': drain.token,
      'User-Agent': `Logplex/tailrace-${options.version}`,
    };
    if (url.username || url.password) {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      this.headers.Authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    }
    if (format.contentEncoding) this.headers['Content-Encoding'] = format.contentEncoding;
    for (const [name, value] of Object.entries(drain.options?.headers ?? {})) {
      const same = Object.keys(this.headers).find((own) => own.toLowerCase() === name.toLowerCase());
      this.headers[same ?? name] = value;
    }
  }

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    const { format, drain, pool } = this.options;
    const encoded = format.encode(shipment, notice, pool);
    const { body, messageCount } = encoded instanceof Promise ? await encoded : encoded;
    const responseBody = await this.post(body, {
      'Logplex-Msg-Count': String(messageCount),
      'Logplex-Frame-Id': frameId(frameIdSeed(drain, shipment.last), shipment.first, shipment.last),
    });
    // An answer may come before all was sent: the rest of it is in the socket.
    if (this.socket?.writableLength === 0) pool.release(body);
    format.checkResponse?.(responseBody, shipment);
    this.acceptedUpTo = shipment.last;
    return this.acceptedUpTo;
  }

  async flush(): Promise<Sequence> {
    return this.acceptedUpTo;
  }

  async close(): Promise<void> {
    this.closing.abort(new OutletError('the connection was closed'));
    await (await this.client).destroy();
  }

  /** Resolves with the beginning of an accepting answer. */
  private async post(body: Buffer, headers: Record<string, string>): Promise<Buffer> {
    const { onPhase, format } = this.options;
    const beganMs = performance.now();
    let response: Awaited<ReturnType<Client['request']>>;
    try {
      const client = await this.client;
      response = await client.request({
        method: 'POST',
        path: this.path,
        headers: { ...this.headers, ...headers },
        body,
      });
    } catch (error) {
      throw toOutletError(error);
    }
    onPhase?.('answer', performance.now() - beganMs);
    this.lastAnswer = String(response.statusCode);
    const bodyPrefix = await readPrefix(response.body, format.responseBytesMax ?? ERROR_TEXT_BYTES_MAX);
    const responseClass = classifyDrainResponse(response.statusCode);
    if (responseClass === 'accepted') return bodyPrefix;
    throw new OutletError(
      `the destination answered ${response.statusCode}${errorDetail(bodyPrefix.toString(), response.headers.location)}`,
      {
        isPermanent: responseClass === 'refused',
        isTooLarge: response.statusCode === CONTENT_TOO_LARGE,
        retryAfterMs: parseRetryAfter(response.headers['retry-after']),
      },
    );
  }
}

/** The beginning of an error response, as one line of printable text. */
function errorDetail(text: string, location: string | string[] | undefined): string {
  if (typeof location === 'string')
    return `: it redirects to ${redactUrl(location)}; redirects aren't followed, so drain there directly`;
  const words = text
    .slice(0, ERROR_TEXT_BYTES_MAX)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return words && `: ${words}`;
}

/** Reads a response to its end, so that the connection can be reused, and returns its beginning. */
async function readPrefix(body: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      if (length < bytesMax) chunks.push(chunk);
      length += chunk.length;
    }
  } catch {
    // The status has arrived; the rest of the response doesn't matter.
  }
  return Buffer.concat(chunks).subarray(0, bytesMax);
}
