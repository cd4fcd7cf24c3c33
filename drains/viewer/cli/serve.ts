/** The viewer in the foreground, until SIGTERM, SIGINT or the end of its terminal. */
import { handleHangup } from '../../../src/common/command-line/hangup.ts';
import { createLogger, defaultLogFormat } from '../../../src/common/logger.ts';
import type { ViewerSettings } from '../config/settings.ts';
import { startViewer } from '../viewer.ts';

/** It is closed when the process that started it as a service is gone. */
const PARENT_CHECK_MS = 500;

/** What serves it as an add-on: the process whose end ends it too, and where browsers find its page there. */
export interface AddonHost {
  readonly parent: number;
  readonly pageUrl: string;
}

/** @param addon left out: it is on its own */
export async function serve(settings: ViewerSettings, addon?: AddonHost): Promise<void> {
  // What an add-on says is read by people, in its app's stream.
  const format = addon === undefined ? defaultLogFormat(process.stderr) : 'text';
  const log = createLogger({ level: settings.logLevel, format });
  const viewer = await startViewer(settings, log, addon?.pageUrl);
  const { url, syslogPort, syslogTlsPort, firstRunUrl } = viewer;
  const tls = syslogTlsPort === undefined ? '' : `, over TLS on ${syslogTlsPort}`;
  const link =
    firstRunUrl === undefined
      ? ''
      : `viewer: nobody is known here yet. This link makes you the owner, once: ${firstRunUrl}\n`;
  const syslog = syslogPort === undefined ? '' : `, for syslog on port ${syslogPort}${tls}`;
  process.stdout.write(`${link}viewer: listening on ${url}${syslog}\n`);
  let isEnding = false;
  const end = (): void => {
    if (isEnding) return;
    isEnding = true;
    viewer.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the viewer could not be closed');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  handleHangup(end, () => viewer.reload());
  if (addon) setInterval(() => process.ppid !== addon.parent && end(), PARENT_CHECK_MS).unref();
}
