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
import { type DrainResponse, ResponseReader } from './response-reader.ts';

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
  /** Names and values in turns. */
  private readonly headers: readonly string[];
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
    const headers: Record<string, string> = {
      'Content-Type': format.contentType,
      'Logplex-Drain-Token': drain.token,
      'User-Agent': `Logplex/tailrace-${options.version}`,
    };
    if (url.username || url.password) {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers.Authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    }
    if (format.contentEncoding) headers['Content-Encoding'] = format.contentEncoding;
    for (const [name, value] of Object.entries(drain.options?.headers ?? {})) {
      const same = Object.keys(headers).find((own) => own.toLowerCase() === name.toLowerCase());
      headers[same ?? name] = value;
    }
    this.headers = Object.entries(headers).flat();
  }

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    const { format, drain, pool } = this.options;
    const encoded = format.encode(shipment, notice, pool);
    const { body, messageCount } = encoded instanceof Promise ? await encoded : encoded;
    const id = frameId(frameIdSeed(drain, shipment.last), shipment.first, shipment.last);
    const responseBody = await this.post(body, String(messageCount), id);
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
  private async post(body: Buffer, messageCount: string, id: string): Promise<Buffer> {
    const { onPhase, format } = this.options;
    const beganMs = performance.now();
    const reader = new ResponseReader(format.responseBytesMax ?? ERROR_TEXT_BYTES_MAX);
    const headers = [...this.headers, 'Logplex-Msg-Count', messageCount, 'Logplex-Frame-Id', id];
    let response: DrainResponse;
    try {
      (await this.client).dispatch({ method: 'POST', path: this.path, headers, body }, reader);
      response = await reader.finished;
    } catch (error) {
      throw toOutletError(error);
    }
    const { status } = response;
    onPhase?.('answer', response.atMs - beganMs);
    this.lastAnswer = String(status);
    const responseClass = classifyDrainResponse(status);
    if (responseClass === 'accepted') return response.body;
    throw new OutletError(
      `the destination answered ${status}${errorDetail(response.body.toString(), response.headers.location)}`,
      {
        isPermanent: responseClass === 'refused',
        isTooLarge: status === CONTENT_TOO_LARGE,
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
