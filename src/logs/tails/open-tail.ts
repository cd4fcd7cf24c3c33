import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { AppId, Sequence } from '../store/contract.ts';
import type { StreamReaders } from '../store/stream-reader.ts';
import { TailSession, type TailSessionOptions, type TailSink } from './tail-session.ts';

/** A tail opens after this time although the store doesn't answer; its reader is told that it is away. */
const POSITION_TIMEOUT_MS = 1_000;

/** A sink of a connection, which calls `onReady` when it can take more. */
export interface ConnectionSink extends TailSink<Buffer> {
  onReady: () => void;
  position: () => Sequence;
}

/**
 * Resolves when it is known where an app's stream ends, or the store is away; returns how to let go of that. Whoever tells a client that its tail is open
 * waits for it first, and calls {@link openTail} at once then: what the client sends from there on comes to it.
 */
export async function prepareTail(readers: StreamReaders, app: AppId): Promise<() => void> {
  const { reader, close } = readers.open(app);
  if (reader.isReady) return close;
  let stopWatching = (): void => {};
  const away = new Promise<void>((resolve) => {
    stopWatching = reader.onOutage((unavailable) => unavailable && resolve());
  });
  await waitWithTimeout(POSITION_TIMEOUT_MS, Promise.race([reader.ready, away]));
  // Until the tail watches the store itself: what is known of an outage is forgotten when nobody does.
  return () => {
    stopWatching();
    close();
  };
}

/**
 * Starts a tail of an app's stream into a connection; returns how to end it.
 * @param onFailure called when the stream can't be read.
 */
export function openTail(
  readers: StreamReaders,
  app: AppId,
  options: TailSessionOptions,
  sink: ConnectionSink,
  onFailure: () => void,
): () => void {
  const { reader, close } = readers.open(app);
  const session = new TailSession(reader, options, sink);
  sink.onReady = () => session.resume();
  sink.position = () => session.position;
  session.onFailure = onFailure;
  session.start().catch(onFailure);
  return () => {
    session.close();
    close();
  };
}
