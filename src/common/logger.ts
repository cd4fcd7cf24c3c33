/** The server's own log: what happens inside it, on stderr, so that stdout stays the stream's. */
import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger } from 'pino';

/** `json`: one object a line, for programs. `text`: a line that people read. */
export type LogFormat = 'json' | 'text';

/** What a part of the server needs of its log: an event's fields (ids, counts) and one sentence. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Never printed, wherever they stand in an event's fields: drains' URLs hold passwords. */
const SECRETS = ['url', '*.url', 'key', 'token'];

/** @param level pino's: `debug`, `info`, `warn`, `error` or `silent` */
export function createLogger({ level, format }: { level: string; format: LogFormat }): Logger {
  const destination = format === 'text' ? textDestination() : pino.destination({ dest: 2, sync: true });
  return pino({ level, base: null, redact: SECRETS }, destination);
}

/** For people where a terminal is, else for programs. */
export function defaultLogFormat(stream: { readonly isTTY?: boolean }): LogFormat {
  return stream.isTTY ? 'text' : 'json';
}

/** The formatter is loaded with the first event: most servers have none to print when they start. */
function textDestination(): DestinationStream {
  let stream: DestinationStream | undefined;
  return {
    write(line: string): void {
      stream ??= formatter();
      stream.write(line);
    },
  };
}

function formatter(): DestinationStream {
  const require = createRequire(import.meta.url);
  const { prettyFactory }: typeof import('pino-pretty') = require('pino-pretty');
  const pretty = prettyFactory({
    colorize: process.stderr.isTTY === true && !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,area',
    singleLine: true,
    messageFormat: (log, key) =>
      typeof log.area === 'string' ? `${log.area}: ${String(log[key] ?? '')}` : String(log[key] ?? ''),
  });
  const out = pino.destination({ dest: 2, sync: true });
  return { write: (line: string) => void out.write(pretty(line) ?? line) };
}
