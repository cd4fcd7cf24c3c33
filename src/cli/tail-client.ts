import { WebSocket } from 'ws';
import { TailraceError } from '../errors.ts';
import type { Address } from './client.ts';

const RECONNECT_FIRST_MS = 200;
const RECONNECT_LONGEST_MS = 5_000;
/** The server pings every 20 s; after twice that and a little nothing will come any more. */
const SILENCE_MS = 45_000;

export interface TailClientOptions {
  readonly app: string;
  readonly lines: number;
  readonly tail: boolean;
  readonly source?: string;
  readonly dyno?: string;
  readonly format: 'text' | 'json';
  /** Gets the lines in order, each once. */
  readonly onLines: (lines: readonly unknown[]) => void;
  /** A sentence for people: the connection was lost, or is back. */
  readonly onNote: (note: string) => void;
}

type Ended = { readonly why: 'done' } | { readonly why: 'lost'; readonly detail: string };

/**
 * Follows a stream over a WebSocket until it ends or `signal` aborts. After a lost connection it goes on behind the last line it got:
 * nothing is missed, nothing comes twice.
 * @throws TailraceError when the server refuses.
 */
export async function followTail(
  address: Address,
  options: TailClientOptions,
  signal: AbortSignal,
): Promise<void> {
  let position: string | undefined;
  let attempt = 0;
  for (;;) {
    const ended = await connectOnce(address, options, position, signal, (message) => {
      if (attempt > 0) options.onNote('connected again');
      attempt = 0;
      if (message.position !== undefined) position = message.position;
      if (message.lines) options.onLines(message.lines);
    });
    if (ended.why === 'done' || signal.aborted) return;
    if (attempt === 0) options.onNote(`connection lost (${ended.detail}); reconnecting`);
    attempt++;
    await pause(Math.min(RECONNECT_FIRST_MS * 2 ** (attempt - 1), RECONNECT_LONGEST_MS), signal);
    if (signal.aborted) return;
  }
}

interface TailMessage {
  readonly position?: string;
  readonly lines?: readonly unknown[];
}

function connectOnce(
  address: Address,
  options: TailClientOptions,
  position: string | undefined,
  signal: AbortSignal,
  onMessage: (message: TailMessage) => void,
): Promise<Ended> {
  const url = new URL(`/apps/${encodeURIComponent(options.app)}/tail`, address.url.replace(/^http/, 'ws'));
  const query = {
    tail: String(options.tail),
    format: options.format,
    source: options.source,
    dyno: options.dyno,
  };
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  if (position === undefined) url.searchParams.set('lines', String(options.lines));
  else url.searchParams.set('after', position);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${address.key}` },
      perMessageDeflate: false,
    });
    let silence: NodeJS.Timeout | undefined;
    let detail = 'closed';
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        detail = 'silent';
        socket.terminate();
      }, SILENCE_MS);
    };
    const abort = (): void => socket.terminate();
    signal.addEventListener('abort', abort);
    socket.on('open', heard);
    socket.on('ping', heard);
    socket.on('message', (data) => {
      heard();
      onMessage(JSON.parse(String(data)));
    });
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => reject(refusal(response.statusCode ?? 500, body)));
    });
    socket.on('error', (error: Error & { code?: string }) => {
      detail = error.code ?? error.message;
      // Never connected: there is nothing to resume, and the user should know at once.
      if (position === undefined && error.code === 'ECONNREFUSED')
        reject(
          new TailraceError('unavailable', `The server at ${address.url} doesn't answer: is it running?`),
        );
    });
    socket.on('close', (code) => {
      clearTimeout(silence);
      signal.removeEventListener('abort', abort);
      resolve(code === 1000 ? { why: 'done' } : { why: 'lost', detail });
    });
  });
}

function refusal(status: number, body: string): TailraceError {
  try {
    const { message } = JSON.parse(body);
    return new TailraceError(status === 401 ? 'unauthorized' : 'not_found', String(message));
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
