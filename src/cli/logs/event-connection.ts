import { TailraceError } from '../../common/errors.ts';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import { errorFromResponse, type ServerAddress } from '../api-client.ts';
import { connectionError } from '../connection-error.ts';
import {
  type ConnectionEnd,
  refusedForNow,
  type TailClientOptions,
  type TailMessage,
} from './tail-message.ts';

/** The server sends something every 15 s; after twice that and a little nothing will come any more. */
const SILENCE_TIMEOUT_MS = 40_000;

/**
 * One connection of a tail as server-sent events (HTML Living Standard, section 9.2): for proxies that don't let WebSockets through.
 * @param position resume after it; undefined for the first connection
 * @throws TailraceError when the server rejects the request, or the first connection fails.
 */
export async function followEvents(
  address: ServerAddress,
  { app, query }: TailClientOptions,
  position: string | undefined,
  onMessage: (message: TailMessage) => void | Promise<void>,
  signal: AbortSignal,
): Promise<ConnectionEnd> {
  const url = new URL(`${address.url}/apps/${encodeURIComponent(app)}/logs`);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  if (position !== undefined) url.searchParams.set('after', position);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_TIMEOUT_MS);
  // A first connection that comes about can be resumed like any other.
  let canResume = position !== undefined;
  try {
    const { statusCode, headers, body } = await sendClientRequest(url.href, {
      headers: { authorization: `Bearer ${address.key}`, accept: 'text/event-stream' },
      signal: AbortSignal.any([signal, silence.signal]),
      pauseMs: 0,
    });
    if (statusCode !== 200) {
      const text = await body.text();
      const { 'retry-after': retryAfter, date } = headers;
      const refused = canResume ? refusedForNow(statusCode, { retryAfter, date }) : undefined;
      if (refused) return refused;
      throw errorFromResponse(statusCode, text, url.pathname);
    }
    canResume = true;
    const parser = new EventParser();
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      timer.refresh();
      for (const message of parser.push(decoder.decode(chunk, { stream: true }))) await onMessage(message);
    }
    return query.tail === 'true' ? { why: 'lost', detail: 'closed' } : { why: 'done' };
  } catch (error) {
    if (signal.aborted) return { why: 'done' };
    if (error instanceof TailraceError) throw error;
    const detail = silence.signal.aborted ? 'nothing came for a while' : errorText(error);
    if (canResume) return { why: 'lost', detail };
    throw connectionError(address.url, detail, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the events of a tail: each `data:` is a line, `id:` the position behind them. */
class EventParser {
  private rest = '';

  /** Takes text as it comes, and gives the events that are whole by it (HTML Living Standard, section 9.2.6). */
  push(text: string): TailMessage[] {
    const events = (this.rest + text).split('\n\n');
    this.rest = events.pop() ?? '';
    return events.map(readEvent);
  }
}

function readEvent(event: string): TailMessage {
  let position: string | undefined;
  let live: boolean | undefined;
  const lines: unknown[] = [];
  for (const field of event.split('\n')) {
    if (field.startsWith('id: ')) position = field.slice('id: '.length);
    else if (field === ': live') live = true;
    else if (field.startsWith('data: ')) lines.push(readLine(field.slice('data: '.length)));
  }
  return { position, live, lines };
}

/** An object when it is one. */
function readLine(data: string): unknown {
  if (!data.startsWith('{')) return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

function errorText(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return String(cause);
}
