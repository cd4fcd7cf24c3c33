/** The server's own log: what happens inside it, on stderr, so that stdout stays the stream's. */
import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger } from 'pino';
import { replaceHiddenCharacters } from './text/hidden-characters.ts';

/** `json`: one object a line, for programs. `text`: a line that people read. */
export type LogFormat = 'json' | 'text';

/** Of events that can't be written yet. */
const WAITING_BYTES_MAX = 1_048_576;

/** Never printed, wherever they stand in an event's fields: drains' URLs hold passwords. */
const SECRETS = ['url', '*.url', 'key', 'token'];

/** @param level pino's: `debug`, `info`, `warn`, `error` or `silent` */
export function createLogger({ level, format }: { level: string; format: LogFormat }): Logger {
  const destination = format === 'text' ? textDestination() : standardError();
  return pino({ level, base: null, redact: SECRETS }, destination);
}

/** For people where a terminal is, else for programs. */
export function defaultLogFormat(stream: { readonly isTTY?: boolean }): LogFormat {
  return stream.isTTY ? 'text' : 'json';
}

/** Where events go. While they can't be written (the log is on a disk that is full) the first ones wait, and others are dropped. */
function standardError(): ReturnType<typeof pino.destination> {
  const out = pino.destination({ dest: 2, sync: true, maxLength: WAITING_BYTES_MAX });
  out.on('error', () => {});
  return out;
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
    messageFormat: (log, key) => {
      const message = replaceHiddenCharacters(String(log[key] ?? ''), showCharacter);
      return typeof log.area === 'string' ? `${log.area}: ${message}` : message;
    },
  });
  const out = standardError();
  return {
    // Fields are JSON, in which control characters are escaped already: these here are the formatter's own.
    write: (line: string) =>
      void out.write(
        replaceHiddenCharacters(pretty(line) ?? line, (found) =>
          found < ' ' ? found : showCharacter(found),
        ),
      ),
  };
}

/** As in JSON; an event's words may come from anywhere, and a terminal would obey them. */
function showCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
