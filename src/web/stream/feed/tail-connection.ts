/**
 * Connections of a tail: a WebSocket, or server-sent events where something on the way lets no WebSocket through. A proxy may refuse it, take it and answer
 * nothing, or pass the upgrade on and nothing behind it; the server itself sends a message as soon as a tail is open.
 */
import { EventStreamParser } from '../../../common/text/event-stream-parser.ts';
import { SilenceWatch } from './silence-watch.ts';

export interface TailHandlers {
  /** The server was heard for the first time: the tail is open. */
  readonly onOpen?: () => void;
  /** @param id of an event */
  readonly onMessage: (data: string, id?: string) => void;
}

/** How a connection ended: nothing was ever heard over it, nothing more came and no end either, or it was closed. */
export type TailEnd = 'unheard' | 'silent' | 'closed';

/** Was a server last heard over events, after a WebSocket brought nothing? Who searches for something else doesn't wait for that again. */
let socketsFail = false;

export class TailConnector {
  private usesEvents: boolean;

  /** @param usesEvents begins with these: WebSockets are known not to come through */
  constructor(usesEvents = false) {
    this.usesEvents = usesEvents || socketsFail;
  }

  /** Reads until the connection is lost or given up; over one that nothing is heard of, the other kind is tried, and stays. */
  async read(url: URL, handlers: TailHandlers, signal: AbortSignal): Promise<TailEnd> {
    const end = await this.readOnce(url, handlers, signal);
    if (end !== 'unheard' || signal.aborted) return end;
    this.usesEvents = !this.usesEvents;
    const other = await this.readOnce(url, handlers, signal);
    // When neither comes through, the server was away.
    if (other === 'unheard') this.usesEvents = !this.usesEvents;
    return other;
  }

  private async readOnce(url: URL, handlers: TailHandlers, signal: AbortSignal): Promise<TailEnd> {
    const lost = new AbortController();
    let wasHeard = false;
    const silence = new SilenceWatch(() => lost.abort());
    const ended = AbortSignal.any([signal, lost.signal]);
    const hear = (): void => {
      if (ended.aborted) return;
      silence.heard();
      if (wasHeard) return;
      wasHeard = true;
      socketsFail = this.usesEvents;
      handlers.onOpen?.();
    };
    const onMessage = (data: string, id?: string): void => {
      if (!ended.aborted) handlers.onMessage(data, id);
    };
    const read = this.usesEvents ? readEvents : readSocket;
    await read(url, hear, onMessage, ended).catch(() => {}); // Its end says nothing more.
    silence.stop();
    if (!wasHeard) return 'unheard';
    return lost.signal.aborted ? 'silent' : 'closed';
  }
}

async function readEvents(
  url: URL,
  hear: () => void,
  onMessage: TailHandlers['onMessage'],
  signal: AbortSignal,
): Promise<void> {
  // An EventSource would not show that it is kept alive.
  const response = await fetch(url, { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal });
  // What answers may be a proxy’s page.
  const isTail = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (!response.ok || !isTail || !response.body) return;
  const parser = new EventStreamParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    hear();
    for (const { id, data } of parser.push(value)) if (data.length > 0) onMessage(data.join('\n'), id);
  }
}

function readSocket(
  url: URL,
  hear: () => void,
  onMessage: TailHandlers['onMessage'],
  signal: AbortSignal,
): Promise<void> {
  const address = new URL(url);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      // To close one that isn't open yet would be an error in the browser's console.
      if (socket.readyState !== WebSocket.CONNECTING) socket.close();
      resolve();
    });
    socket.addEventListener('open', () => {
      if (signal.aborted) socket.close();
    });
    socket.addEventListener('message', ({ data }) => {
      hear();
      onMessage(String(data));
    });
    socket.addEventListener('close', () => resolve());
  });
}
