/** Where the lines of dynos go: the shipper, a terminal, a test. */
export interface LineSink {
  /**
   * Takes one line, at once and without waiting. The bytes are the sender's, unchanged, without the line ending; they
   * may be kept or copied, never written to.
   *
   * @param source `app` for what a process wrote, `heroku` for what the platform logs about it
   * @param dyno `web.1`
   * @param priority syslog's: facility × 8 + severity
   */
  writeLine(source: string, dyno: string, priority: number, message: Uint8Array | string): void;
}

/** Takes a dyno's lines many at a time, with back-pressure. */
export interface ChunkSink extends LineSink {
  /**
   * Takes lines as they are in a dyno's output: each with its newline, which is no part of the message, nor is a return before
   * it. The buffer may be reused afterwards.
   *
   * @param onWritable called once, when it accepts lines again, if not all of them were taken
   * @returns how many bytes were taken, a number of whole lines; the others are to be written again
   */
  writeChunk(
    source: string,
    dyno: string,
    priority: number,
    chunk: Uint8Array,
    onWritable: () => void,
  ): number;
}

export function isChunkSink(sink: LineSink): sink is ChunkSink {
  return 'writeChunk' in sink && typeof sink.writeChunk === 'function';
}

/** local7.info: a dyno's stdout and stderr alike. */
export const APP_PRIORITY = 190;
/** syslog.notice: the dyno manager. */
export const PLATFORM_PRIORITY = 45;
/** local5.warning: reports of loss (L12, L13). */
export const LOSS_PRIORITY = 172;
