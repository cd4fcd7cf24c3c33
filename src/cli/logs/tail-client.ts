import { WebSocket } from 'ws';
import { type BackoffRange, backoffMs } from '../../common/backoff.ts';
import { TailraceError } from '../../common/errors.ts';
import {
  type Connected,
  connectThrough,
  ProxyError,
  proxyFor,
} from '../../common/http/client/forward-proxy.ts';
import { errorFromResponse, messageOf, type ServerAddress } from '../api-client.ts';
import { connectionError } from '../connection-error.ts';
import { followEvents } from './event-connection.ts';
import {
  type ConnectionEnd,
  refusedForNow,
  type TailClientOptions,
  type TailMessage,
} from './tail-message.ts';

const RECONNECT: BackoffRange = { firstMs: 200, maxMs: 5_000 };
/** The server pings every 20 s; after twice that and a little nothing will come any more. */
const SILENCE_TIMEOUT_MS = 45_000;
/** The server takes an upgrade at once, whatever it is asked for. */
const UPGRADE_TIMEOUT_MS = 10_000;
/** How long a tail that has an end tries to go on after its connection was lost. */
const GIVE_UP_MS = 60_000;
/** After a pause of this process (a pager, a stopped terminal) what has arrived meanwhile is read first. */
const SILENCE_GRACE_MS = 2_000;
/** RFC 9110 section 15.5.22. */
const UPGRADE_REQUIRED = 426;
/** A connection came about, and was ended in the middle. */
const BROKEN = /^(ECONNRESET|EPIPE|HPE_\w+)$/;

/**
 * Follows a stream over a WebSocket until it ends or `signal` aborts; by server-sent events where something on the way lets none through. After a lost connection it resumes after the last line:
 * nothing is missed, nothing comes twice. One that isn't to stay gives up after a minute without a message: whoever waits for its end would wait for ever.
 * @throws TailraceError when the server rejects the request, the first connection fails, or it gives up.
 */
export async function followTail(
  address: ServerAddress,
  options: TailClientOptions,
  signal: AbortSignal,
): Promise<void> {
  let position: string | undefined;
  let attempt = 0;
  let usesEvents = false;
  /** By `performance.now()`. */
  let lostSince: number | undefined;
  const handleMessage = (message: TailMessage): void | Promise<void> => {
    if (attempt > 0) options.onReconnected();
    attempt = 0;
    lostSince = undefined;
    if (message.position !== undefined) position = message.position;
    if (message.notice !== undefined) return options.onNotice(message.notice);
    return options.onMessage(message);
  };
  for (;;) {
    const { app, appId = app } = options;
    const wanted = position === undefined ? options : { ...options, app: appId };
    const connected = usesEvents
      ? followEvents(address, wanted, position, handleMessage, signal)
      : new TailConnection(address, wanted, position, handleMessage).run(signal);
    const ended = await connected.catch((error: unknown) => {
      // The app is gone: nobody has typed its id.
      if (!(error instanceof TailraceError) || appId === app) throw error;
      throw new TailraceError(error.code, error.message.replaceAll(appId, app), { cause: error });
    });
    if (ended.why === 'done' || signal.aborted) return;
    if (ended.why === 'no upgrade') {
      // Also when it was connected once: what is on the way may have changed.
      usesEvents = true;
      continue;
    }
    const { detail, retryAfterMs = 0 } = ended;
    lostSince ??= performance.now();
    if (options.query.tail !== 'true' && performance.now() - lostSince > (options.giveUpMs ?? GIVE_UP_MS))
      throw new TailraceError(
        'unavailable',
        `The connection to the server at ${address.url} was lost, and it doesn't answer${detail && ` (${detail})`}: what is there isn't all. Ask again when it is back.`,
      );
    // Who waits for a minute is told each time.
    if (detail && (attempt === 0 || retryAfterMs > RECONNECT.maxMs)) options.onDisconnected(detail);
    attempt++;
    await sleep(Math.max(backoffMs(attempt, RECONNECT), retryAfterMs), signal);
    if (signal.aborted) return;
  }
}

/** One connection, from the attempt to its end. */
class TailConnection {
  private readonly address: ServerAddress;
  private readonly path: string;
  private readonly socket: WebSocket;
  private readonly isFirst: boolean;
  private readonly stays: boolean;
  private readonly onMessage: (message: TailMessage) => void | Promise<void>;
  private silenceTimer: NodeJS.Timeout | undefined;
  private wasOpen = false;
  /** Has anything come over it, be it a ping? */
  private wasHeard = false;
  /** Nothing came any more, and no end either. */
  private isSilent = false;
  private failureReason = '';

  constructor(
    address: ServerAddress,
    { app, query }: TailClientOptions,
    position: string | undefined,
    onMessage: (message: TailMessage) => void | Promise<void>,
  ) {
    this.address = address;
    this.isFirst = position === undefined;
    this.stays = query.tail === 'true';
    this.onMessage = onMessage;
    const url = new URL(`${address.url}/apps/${encodeURIComponent(app)}/tail`.replace(/^http/, 'ws'));
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    if (position !== undefined) url.searchParams.set('after', position);
    this.path = url.pathname;
    const proxy = proxyFor(url);
    this.socket = new WebSocket(url, {
      ...(proxy && {
        createConnection: ((_: object, connected: Connected) =>
          connectThrough(proxy, url, connected)) as never,
      }),
      headers: { authorization: `Bearer ${address.key}` },
      perMessageDeflate: !/^(localhost|127\..*|\[::1\])$/.test(url.hostname),
    });
  }

  run(signal: AbortSignal): Promise<ConnectionEnd> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const abort = (): void => socket.terminate();
      signal.addEventListener('abort', abort);
      const cleanUp = (): void => {
        clearTimeout(this.silenceTimer);
        signal.removeEventListener('abort', abort);
      };
      // Also for what takes a connection and says nothing.
      this.resetSilenceTimer(UPGRADE_TIMEOUT_MS);
      socket.on('open', () => {
        this.wasOpen = true;
        this.resetSilenceTimer();
      });
      socket.on('ping', () => {
        this.wasHeard = true;
        this.resetSilenceTimer();
      });
      socket.on('message', (data) => this.receive(String(data)));
      socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        // Also when it breaks off.
        response.on('error', () => {});
        response.on('close', () => {
          cleanUp();
          const status = response.statusCode ?? 500;
          const { 'retry-after': retryAfter, date } = response.headers;
          const refused = this.isFirst ? undefined : refusedForNow(status, { retryAfter, date });
          if (refused) resolve(refused);
          // Not the server has refused this: a request without an upgrade may come through.
          else if (status === UPGRADE_REQUIRED || messageOf(body) === undefined)
            resolve({ why: 'no upgrade' });
          else reject(errorFromResponse(status, body, this.path));
          socket.terminate();
        });
      });
      socket.on('error', (error: Error & { code?: string }) => {
        this.failureReason ||= error.code ?? error.message;
        // Many proxies make tunnels to port 443 alone, and pass on what is asked of them.
        if (error instanceof ProxyError || (this.isFirst && !this.wasOpen && BROKEN.test(error.code ?? ''))) {
          cleanUp();
          resolve({ why: 'no upgrade' });
          return;
        }
        // Never connected: there is nothing to resume, so this is an error.
        if (!this.isFirst || this.wasOpen || this.isSilent || signal.aborted) return;
        cleanUp();
        reject(connectionError(this.address.url, this.failureReason));
      });
      socket.on('close', (code, reason) => {
        cleanUp();
        // One that stays has no end: the app is gone, or the key. What the server says to the next request is shown.
        if (this.isSilent && !this.wasHeard) resolve({ why: 'no upgrade' });
        else if (code === 1000) resolve(this.stays ? { why: 'lost', detail: '' } : { why: 'done' });
        else resolve({ why: 'lost', detail: this.failureReason || String(reason) || 'closed' });
      });
    });
  }

  private receive(data: string): void {
    this.wasHeard = true;
    this.resetSilenceTimer();
    const backpressure = this.onMessage(JSON.parse(data));
    if (!backpressure) return;
    this.socket.pause();
    backpressure.then(
      () => this.socket.resume(),
      () => this.socket.terminate(),
    );
  }

  /** Data arrived: the timeout starts again. */
  private resetSilenceTimer(timeoutMs = SILENCE_TIMEOUT_MS): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      this.silenceTimer = setTimeout(() => {
        this.failureReason = 'nothing came for a while';
        this.isSilent = true;
        this.socket.terminate();
      }, SILENCE_GRACE_MS);
    }, timeoutMs);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
