import { WebSocket } from 'ws';
import { TailraceError } from '../../common/errors.ts';
import type { Address } from '../client.ts';

const RECONNECT_FIRST_MS = 200;
const RECONNECT_LONGEST_MS = 5_000;
/** The server pings every 20 s; after twice that and a little nothing will come any more. */
const SILENCE_MS = 45_000;
/** After a pause of our own (a pager, a stopped terminal) what has come meanwhile is read first. */
const SECOND_LOOK_MS = 2_000;

/** What the server sends: lines, or where it is. */
export interface TailMessage {
  /** Resume after this. */
  readonly position?: string;
  /** In the first message: the newest line there is. */
  readonly newest?: string;
  /** What comes from here on is new. */
  readonly live?: boolean;
  /** What the server says about the tail; the message's lines say the same. */
  readonly notice?: string;
  readonly lines: readonly unknown[];
}

export interface TailClientOptions {
  readonly app: string;
  /** Of the query; see docs/tails.md. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Gets the messages in order, their lines each once. A promise holds the next ones up. */
  readonly onMessage: (message: TailMessage) => void | Promise<void>;
  /** The connection was lost, and why; nothing is missed. */
  readonly onLost: (why: string) => void;
  /** The server has something to say that is no line of the stream. */
  readonly onNotice: (text: string) => void;
  readonly onAgain: () => void;
}

type Ended = { readonly why: 'done' } | { readonly why: 'lost'; readonly detail: string };

/**
 * Follows a stream over a WebSocket until it ends or `signal` aborts. After a lost connection it goes on behind the last line it got:
 * nothing is missed, nothing comes twice.
 * @throws TailraceError when the server refuses, or can't be reached in the first place.
 */
export async function followTail(
  address: Address,
  options: TailClientOptions,
  signal: AbortSignal,
): Promise<void> {
  let position: string | undefined;
  let attempt = 0;
  const heard = (message: TailMessage): void | Promise<void> => {
    if (attempt > 0) options.onAgain();
    attempt = 0;
    if (message.position !== undefined) position = message.position;
    if (message.notice !== undefined) return options.onNotice(message.notice);
    return options.onMessage(message);
  };
  for (;;) {
    const ended = await new Connection(address, options, position, heard).run(signal);
    if (ended.why === 'done' || signal.aborted) return;
    if (attempt === 0) options.onLost(ended.detail);
    attempt++;
    await pause(Math.min(RECONNECT_FIRST_MS * 2 ** (attempt - 1), RECONNECT_LONGEST_MS), signal);
    if (signal.aborted) return;
  }
}

/** One connection, from the attempt to its end. */
class Connection {
  private readonly address: Address;
  private readonly socket: WebSocket;
  private readonly isFirst: boolean;
  private readonly heard: (message: TailMessage) => void | Promise<void>;
  private silence: NodeJS.Timeout | undefined;
  private detail = '';

  constructor(
    address: Address,
    { app, query }: TailClientOptions,
    position: string | undefined,
    heard: (message: TailMessage) => void | Promise<void>,
  ) {
    this.address = address;
    this.isFirst = position === undefined;
    this.heard = heard;
    const url = new URL(`/apps/${encodeURIComponent(app)}/tail`, address.url.replace(/^http/, 'ws'));
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    if (position !== undefined) url.searchParams.set('after', position);
    this.socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${address.key}` },
      perMessageDeflate: !/^(localhost|127\..*|\[::1\])$/.test(url.hostname),
    });
  }

  run(signal: AbortSignal): Promise<Ended> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const abort = (): void => socket.terminate();
      signal.addEventListener('abort', abort);
      const ended = (): void => {
        clearTimeout(this.silence);
        signal.removeEventListener('abort', abort);
      };
      socket.on('open', () => this.listen());
      socket.on('ping', () => this.listen());
      socket.on('message', (data) => this.take(String(data)));
      socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => {
          ended();
          const status = response.statusCode ?? 500;
          if (status >= 500 && !this.isFirst)
            resolve({ why: 'lost', detail: `the server answered ${status}` });
          else reject(refusal(status, body));
          socket.terminate();
        });
      });
      socket.on('error', (error: Error & { code?: string }) => {
        this.detail ||= error.code ?? error.message;
        // Never connected: there is nothing to resume, and the user should know at once.
        if (!this.isFirst || this.silence || signal.aborted) return;
        ended();
        reject(
          new TailraceError(
            'unavailable',
            `The server at ${this.address.url} doesn't answer (${this.detail}): is it running?`,
          ),
        );
      });
      socket.on('close', (code, reason) => {
        ended();
        if (code === 1000) resolve({ why: 'done' });
        else resolve({ why: 'lost', detail: this.detail || String(reason) || 'closed' });
      });
    });
  }

  private take(data: string): void {
    this.listen();
    const held = this.heard(JSON.parse(data));
    if (!held) return;
    this.socket.pause();
    held.then(
      () => this.socket.resume(),
      () => this.socket.terminate(),
    );
  }

  /** Something came: the next silence starts now. */
  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.silence = setTimeout(() => {
        this.detail = 'nothing came for a while';
        this.socket.terminate();
      }, SECOND_LOOK_MS);
    }, SILENCE_MS);
  }
}

function refusal(status: number, body: string): TailraceError {
  const code = status === 401 ? 'unauthorized' : status === 404 ? 'not_found' : 'invalid_params';
  try {
    return new TailraceError(code, String(JSON.parse(body).message));
  } catch {
    return new TailraceError('unavailable', `The server answered ${status}.`);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
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
