import type { AppId, Sequence } from '../store/contract.ts';
import type { StreamReaders } from '../store/stream-reader.ts';
import { TailSession, type TailSessionOptions, type TailSink } from './tail-session.ts';

/** A sink of a connection, which calls `onReady` when it can take more. */
export interface ConnectionSink extends TailSink<Buffer> {
  onReady: () => void;
  position: () => Sequence;
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
