import { TailraceError } from '../../common/errors.ts';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import { EventStreamParser, type ServerSentEvent } from '../../common/text/event-stream-parser.ts';
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
    // A page of somebody else isn't a tail without lines.
    if (statusCode !== 200 || !headers['content-type']?.startsWith('text/event-stream')) {
      const text = await body.text().catch(() => ''); // Also when it breaks off.
      const { 'retry-after': retryAfter, date } = headers;
      const refused = canResume ? refusedForNow(statusCode, { retryAfter, date }) : undefined;
      if (refused) return refused;
      throw errorFromResponse(statusCode, text, url.pathname);
    }
    canResume = true;
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      timer.refresh();
      for (const event of parser.push(decoder.decode(chunk, { stream: true })))
        await onMessage(toMessage(event));
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

/** Each `data:` is a line, the id the position behind them. */
function toMessage({ id, data, comments }: ServerSentEvent): TailMessage {
  return { position: id, live: comments.includes('live') || undefined, lines: data.map(readLine) };
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
