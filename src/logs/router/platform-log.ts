import type { AppId } from '../store/contract.ts';
import { SyslogHeader, scanHeader } from '../syslog/header.ts';
import { timestampText } from '../syslog/timestamp.ts';
import type { LogRouter } from './log-router.ts';
import type { LogSource } from './token-cache.ts';

/** Priorities of the platform's own lines (facility * 8 + severity), as Heroku has them. */
export const PlatformLinePriority = {
  /** local3.info */
  router: 158,
  /** local5.warning */
  loss: 172,
  /** local5.warning; local5.notice; local7.warning: of drains that break, recover, show a bad certificate */
  failure: 172,
  recovery: 173,
  certificate: 188,
  /** local7.info, of `app[api]` */
  api: 190,
  /** log audit (facility 13), info */
  audit: 110,
} as const;

/** HOSTNAME of every line. */
const HOST = 'host';
const HOST_BYTES = Buffer.from(HOST);
const SOURCES = { app: Buffer.from('app'), heroku: Buffer.from('heroku') } as const;
/** A line's text takes at most three bytes a character. */
const BYTES_A_CHARACTER = 3;
const SCRATCH_BYTES = 65_536;

/** Writes the platform's own lines to an app's stream: of the HTTP router, the API, the drains. */
export class PlatformLog {
  private readonly router: LogRouter;
  private readonly header = new SyslogHeader();
  /** Where a line's text becomes bytes: the batcher copies them. */
  private readonly scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(router: LogRouter) {
    this.router = router;
  }

  /**
   * Adds the line `source[dyno]: message` to an app's stream; it is stored as soon as the store takes it.
   *
   * @param lingerMs it may linger, with others, until so long after the app's last batch was closed.
   */
  write(
    app: AppId,
    source: 'app' | 'heroku',
    dyno: string,
    priority: number,
    message: string,
    lingerMs = 0,
  ): void {
    // Complete, so that the batcher copies it as it is: the HTTP router writes one for every request.
    const text = `<${priority}>1 ${timestampText(Date.now())} ${HOST} ${source} ${dyno} - - ${message}`;
    const small = text.length * BYTES_A_CHARACTER <= SCRATCH_BYTES;
    const line = small ? this.scratch : Buffer.from(text);
    const length = small ? line.write(text) : line.length;
    if (!scanHeader(line, 0, length, this.header)) return;
    const sourceBytes = SOURCES[source];
    const platformSource: LogSource = { token: '', tokenBytes: sourceBytes, app, source, sourceBytes };
    const batcher = this.router.batcher(app);
    batcher.add(line, 0, length, this.header, platformSource, HOST_BYTES);
    batcher.flushInBackground(lingerMs);
  }
}
