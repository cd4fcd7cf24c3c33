/**
 * One HTTP request of a command. undici would be two thirds of its whole processor time: it compiles its parser to WebAssembly first
 * (100 ms), for a request or two.
 */
import { createReadStream } from 'node:fs';
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Deadline } from '../../limits/deadline.ts';
import {
  type Connected,
  connectThrough,
  hostOf,
  ProxyError,
  proxyFor,
  proxyHeaders,
} from './forward-proxy.ts';

export interface ClientRequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A file is read while it is sent; `content-length` is among the headers then. */
  readonly body?: string | Buffer | { readonly file: string };
  readonly signal?: AbortSignal;
  /** How long a body may pause; 0: as long as it likes. */
  readonly pauseMs?: number;
}

export interface ClientResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable & { text(): Promise<string> };
}

const CONNECT_MS = 10_000;
const PAUSE_MS = 300_000;
/** RFC 9110 section 15.5.8. */
const PROXY_AUTHENTICATION_REQUIRED = 407;

/**
 * Sends a request to `http:` or `https:`, through a proxy where the environment has one; redirects aren't followed. A response may take as long as it does, its body not: see `pauseMs`.
 * @returns as soon as its head is there, whatever its status; whoever asks reads the body, or the process doesn't end
 * @throws the system's error when nobody answers, a {@link ProxyError} when that is a proxy's doing, or what the signal was aborted with; reading the body throws the same
 */
export async function sendClientRequest(
  url: string,
  { method = 'GET', headers, body, signal, pauseMs = PAUSE_MS }: ClientRequestOptions = {},
): Promise<ClientResponse> {
  // Only where it is needed: TLS takes 10 ms to load.
  const send = url.startsWith('https:') ? (await import('node:https')).request : requestHttp;
  const target = new URL(url);
  const proxy = proxyFor(target);
  // One that is asked itself is told the whole address (RFC 9112 section 3.2.2).
  const isAsked = proxy !== undefined && target.protocol === 'http:';
  const way: RequestOptions = !proxy
    ? {}
    : isAsked
      ? { ...hostOf(proxy), path: target.href }
      : // It says by its second argument when it is connected, as Node.js' documentation has it, and its types don't.
        {
          createConnection: ((_: object, connected: Connected) =>
            connectThrough(proxy, target, connected)) as never,
        };
  const proxied = isAsked ? { host: target.host, ...proxyHeaders(proxy) } : undefined;
  const isWhole = typeof body === 'string' || Buffer.isBuffer(body);
  // Node.js leaves it out with a DELETE that has a body.
  const length = isWhole ? { 'content-length': String(Buffer.byteLength(body)) } : undefined;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { ...way, method, headers: { ...headers, ...length, ...proxied }, signal };
    const outgoing = send(url, options, resolve);
    let isConnected = false;
    outgoing.on('error', (error) => {
      // What breaks later may have reached the server.
      const cause = isAsked && !isConnected ? ProxyError.from(proxy, error) : error;
      reject(signal?.aborted ? signal.reason : cause);
    });
    outgoing.on('socket', (socket) => {
      isConnected = !socket.connecting;
      if (isConnected) return;
      socket.once('connect', () => {
        isConnected = true;
      });
      const connecting = new Deadline(CONNECT_MS, () => outgoing.destroy(timeoutError('nobody answers')));
      for (const event of ['connect', 'close']) socket.once(event, () => connecting.clear());
    });
    outgoing.on('response', (answer) => {
      if (pauseMs > 0) outgoing.setTimeout(pauseMs, () => answer.destroy(timeoutError('the body pauses')));
      // What was answered before all was sent needs no rest.
      answer.once('end', () => outgoing.writableFinished || outgoing.destroy());
    });
    if (isWhole || body === undefined) outgoing.end(body);
    else pipeline(createReadStream(body.file), outgoing, (error) => error && reject(error));
  });
  if (isAsked && response.statusCode === PROXY_AUTHENTICATION_REQUIRED) {
    response.destroy();
    throw new ProxyError(proxy, `${response.statusCode} ${response.statusMessage}`);
  }
  const readText = (): Promise<string> =>
    text(response).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  return {
    statusCode: response.statusCode ?? 0,
    headers: response.headers,
    body: Object.assign(response, { text: readText }),
  };
}

function timeoutError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
