import { promisify } from 'node:util';
import { constants, gunzip, inflate, type ZlibOptions } from 'node:zlib';
import type { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import type { WasmSlots } from '../../../common/wasm/wasm-slots.ts';
import type { Sequence } from '../../store/contract.ts';
import { classifyDrainResponse, parseRetryAfter } from '../encoders/classify-response.ts';
import type { HttpFormat } from '../http-format.ts';
import {
  basicCredentials,
  type DrainRecord,
  type DrainTarget,
  drainSecrets,
  frameIdSeed,
  hideSecrets,
  printableReason,
} from '../options/drain-record.ts';
import { type LossNotice, type Outlet, OutletError } from '../outlet.ts';
import { frameId, type Shipment } from '../shipment.ts';
import { type Dialer, type OnPhase, type TlsOptions, toOutletError } from './dialer.ts';
import { HttpConnection } from './http-connection.ts';
import { RequestMemory } from './request-memory.ts';
import type { ResponseParser } from './response-parser.ts';

/** RFC 9110 section 15.5.14. */
const CONTENT_TOO_LARGE = 413;
/** Characters of a response's body that go into the error's message, of so many bytes that are kept: secrets are hidden before it is cut. */
const ERROR_TEXT_MAX = 200;
const TEXT_BYTES_MAX = 4_096;

/** Of a response that is packed, from which these are. */
const UNPACKED_TEXT_BYTES_MAX = 1_048_576;
/** By Content-Encoding, on another thread: whatever comes is unpacked. */
type Unpack = (body: Buffer, options: ZlibOptions) => Promise<Buffer>;
const unpackGzip: Unpack = promisify(gunzip);
const UNPACKERS: Readonly<Partial<Record<string, Unpack>>> = {
  gzip: unpackGzip,
  'x-gzip': unpackGzip,
  deflate: promisify(inflate),
};

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
  private readonly connection: HttpConnection;
  private readonly memory: RequestMemory;
  private readonly secrets: readonly string[];
  /** What a request begins with. */
  private readonly head: string;
  private readonly closing = new AbortController();
  private acceptedUpTo: Sequence = 0;
  lastAnswer = '';

  constructor(options: HttpOutletOptions) {
    const { drain, target, tls, format, dialer, pool, onPhase } = options;
    const { url, host, port, secure } = target;
    this.options = options;
    this.secrets = drainSecrets(drain);
    this.memory = new RequestMemory(pool);
    this.shipmentBytesMax = format.shipmentBytesMax;
    this.connection = new HttpConnection(() =>
      dialer.dial({ host, port, tls: secure ? tls : undefined }, onPhase, this.closing.signal),
    );
    const headers: Record<string, string> = {
      'Content-Type': format.contentType,
      'Logplex-Drain-Token': drain.token,
      'User-Agent': `Logplex/tailrace-${options.version}`,
    };
    if (url.username || url.password) headers.Authorization = `Basic ${basicCredentials(url)}`;
    if (format.contentEncoding) headers['Content-Encoding'] = format.contentEncoding;
    for (const [name, value] of Object.entries(drain.options?.headers ?? {})) {
      const same = Object.keys(headers).find((own) => own.toLowerCase() === name.toLowerCase());
      headers[same ?? name] = value;
    }
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.head = `POST ${format.path(url)} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: keep-alive\r\n${fields.join('')}`;
  }

  get lineMemory(): WasmSlots {
    return this.options.format.memory().lines;
  }

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    try {
      return await this.sendEncoded(shipment, notice);
    } catch (error) {
      // What a destination says goes into the stream, to its readers and other drains.
      if (error instanceof OutletError) error.message = printableReason(error.message, this.secrets);
      throw error;
    } finally {
      // All of it was sent, or the connection is closed: nobody reads it.
      this.memory.releaseAll();
    }
  }

  private async sendEncoded(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    const { memory } = this;
    const { format, drain, onPhase } = this.options;
    const encoded = format.encode(shipment, notice, memory);
    const { body, messageCount } = encoded instanceof Promise ? await encoded : encoded;
    const id = frameId(frameIdSeed(drain, shipment.last), shipment.first, shipment.last);
    const request = memory.join(
      `${this.head}Logplex-Msg-Count: ${messageCount}\r\nLogplex-Frame-Id: ${id}\r\nContent-Length: ${body.length}\r\n\r\n`,
      body,
    );
    const beganMs = performance.now();
    let response: ResponseParser;
    try {
      response = await this.connection.post(
        request,
        format.responseBytesMax ?? TEXT_BYTES_MAX,
        format.checkResponse !== undefined,
      );
    } catch (error) {
      throw toOutletError(error);
    }
    onPhase?.('answer', response.headAtMs - beganMs);
    this.lastAnswer = String(response.status);
    if (classifyDrainResponse(response.status) !== 'accepted') throw await this.refusalOf(response);
    if (format.checkResponse && !response.isComplete)
      throw new OutletError('the answer that accepts the lines broke off, and may refuse some of them');
    format.checkResponse?.(await unpackedBody(response, format.responseBytesMax), shipment);
    this.acceptedUpTo = shipment.last;
    return this.acceptedUpTo;
  }

  async flush(): Promise<Sequence> {
    return this.acceptedUpTo;
  }

  async close(): Promise<void> {
    const error = new OutletError('the connection was closed');
    this.closing.abort(error);
    this.connection.close(error);
  }

  /** Of an answer that doesn't accept the request. */
  private async refusalOf(response: ResponseParser): Promise<OutletError> {
    const { status, headers } = response;
    const text = hideSecrets(textOf(await unpackedBody(response), headers.get('content-type')), this.secrets);
    return new OutletError(
      `the destination answered ${status}${errorDetail(text, headers.get('location'))}`,
      {
        isPermanent: classifyDrainResponse(status) === 'refused',
        isTooLarge: status === CONTENT_TOO_LARGE,
        retryAfterMs: parseRetryAfter(headers.get('retry-after'), headers.get('date')),
      },
    );
  }
}

/** The body, as far as it came and was kept, of a response that may be packed, although nobody has asked for that; nothing when it can't be unpacked. */
async function unpackedBody(
  { body, headers }: ResponseParser,
  bytesMax = UNPACKED_TEXT_BYTES_MAX,
): Promise<Buffer> {
  const coding = headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  if (coding === 'identity' || body.length === 0) return body;
  const unpack = UNPACKERS[coding];
  try {
    if (unpack) return await unpack(body, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: bytesMax });
  } catch {
    // It isn't what it is called, or too much.
  }
  return Buffer.alloc(0);
}

/** Of OTLP in protobuf: the message of a `google.rpc.Status`, which is behind its code, if it has one. */
function textOf(body: Buffer, contentType: string | undefined): string {
  if (contentType !== 'application/x-protobuf') return body.toString();
  const tag = body[0] === 0x08 ? 2 : 0;
  if (body[tag] !== 0x12) return body.toString();
  return body.toString('utf8', tag + (body[tag + 1] > 0x7f ? 3 : 2));
}

/** The beginning of an error response, as one line of printable text. */
function errorDetail(text: string, location: string | undefined): string {
  if (location !== undefined) return `: redirects aren't followed, so drain directly to ${location}`;
  const words = text
    .slice(0, ERROR_TEXT_MAX)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return words && `: ${words}`;
}
