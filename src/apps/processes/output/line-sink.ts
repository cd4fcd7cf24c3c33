/** Where the runner's lines go: the shipper, a terminal, a test. */
export interface LineSink {
  /**
   * Takes one line, at once and without waiting. The bytes are the sender's, unchanged, without the line ending; they
   * may be kept or copied, never written to.
   *
   * @param source `app` for what a process wrote, `heroku` for what the runner says about it
   * @param dyno `web.1`
   * @param priority syslog's: facility × 8 + severity
   */
  line(source: string, dyno: string, priority: number, message: Uint8Array | string): void;
}

/** Takes a dyno's lines many at a time, and says when it has enough. */
export interface RunSink extends LineSink {
  /**
   * Takes lines as they stand in a dyno's output: each with its newline, which is no part of the message, nor is a return before
   * it. The bytes may become others afterwards.
   *
   * @param onRoom called once, when there is room again, if not all of the lines were taken
   * @returns how many bytes were taken, a number of whole lines; the others are to be given again
   */
  lines(source: string, dyno: string, priority: number, run: Uint8Array, onRoom: () => void): number;
}

export function takesRuns(sink: LineSink): sink is RunSink {
  return 'lines' in sink && typeof sink.lines === 'function';
}

/** local7.info: a dyno's stdout and stderr alike. */
export const APP_PRIORITY = 190;
/** syslog.notice: the dyno manager. */
export const PLATFORM_PRIORITY = 45;
/** local5.warning: reports of loss (L12, L13). */
export const LOSS_PRIORITY = 172;
