import type { AppId, Sequence } from '../store/contract.ts';
import type { Readers } from '../store/reader.ts';
import { type TailOptions, TailSession, type TailSink } from './session.ts';

/** A sink of a connection: it says when it can take more. */
export interface ConnectionSink extends TailSink<Buffer> {
  onReady: () => void;
  position: () => Sequence;
}

/**
 * Starts a tail of an app's stream into a connection; returns how to end it.
 * @param failed called when the stream can't be read.
 */
export function openTail(
  readers: Readers,
  app: AppId,
  options: TailOptions,
  sink: ConnectionSink,
  failed: () => void,
): () => void {
  const { reader, close } = readers.open(app);
  const session = new TailSession(reader, options, sink);
  sink.onReady = () => session.resume();
  sink.position = () => session.position;
  session.onFailure = failed;
  session.start().catch(failed);
  return () => {
    session.close();
    close();
  };
}
