/** What a tail's client gets, over whatever connection. */
import { isTemporaryStatus } from '../../common/http/client/temporary-status.ts';
import { parseRetryAfter } from '../../logs/drains/encoders/classify-response.ts';

/** What the server sends: lines, or where it is. */
export interface TailMessage {
  /** Resume after this. */
  readonly position?: string;
  /** In the first message: the newest line there is. */
  readonly newest?: string;
  /** What comes from here on is new. */
  readonly live?: boolean;
  /** A notice of the server about the tail; the message's lines have the same text. */
  readonly notice?: string;
  readonly lines: readonly unknown[];
}

export interface TailClientOptions {
  /** Its name or id. */
  readonly app: string;
  /** Under which it is asked for again: its name may be another app's by then. Left out: under the same. */
  readonly appId?: string;
  /** Of the query; see docs/tails.md. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Gets the messages in order, each line once. A promise delays the next ones (backpressure). */
  readonly onMessage: (message: TailMessage) => void | Promise<void>;
  /** The connection was lost, and why; nothing is missed. */
  readonly onDisconnected: (why: string) => void;
  /** A notice of the server, which is no line of the stream. */
  readonly onNotice: (text: string) => void;
  readonly onReconnected: () => void;
  /** How long one that isn't to stay tries to connect again; default: a minute. */
  readonly giveUpMs?: number;
}

/** How a connection ended. `no upgrade`: something on the way doesn't let WebSockets through. */
export type ConnectionEnd =
  | { readonly why: 'done' }
  | { readonly why: 'no upgrade' }
  | {
      readonly why: 'lost';
      readonly detail: string;
      /** The server wants to be left alone for so long. */
      readonly retryAfterMs?: number;
    };

/**
 * The end of a connection that was refused for now, by the server or a proxy (429, 503 …): it is tried again.
 * @param retryAfter `Retry-After` of the response, and its `date`
 * @returns undefined for what isn't answered otherwise later
 */
export function refusedForNow(
  status: number,
  { retryAfter, date }: { readonly retryAfter: string | undefined; readonly date: string | undefined },
): ConnectionEnd | undefined {
  if (!isTemporaryStatus(status)) return undefined;
  const retryAfterMs = parseRetryAfter(retryAfter, date);
  const wish = retryAfterMs ? `, and asks for ${Math.ceil(retryAfterMs / 1_000)} s` : '';
  return { why: 'lost', detail: `the server answered ${status}${wish}`, retryAfterMs };
}
