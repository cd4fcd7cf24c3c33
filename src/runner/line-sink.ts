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

/** local7.info: a dyno's stdout and stderr alike. */
export const APP_PRIORITY = 190;
/** syslog.notice: the dyno manager. */
export const PLATFORM_PRIORITY = 45;
/** local5.warning: reports of loss (L12, L13). */
export const LOSS_PRIORITY = 172;
