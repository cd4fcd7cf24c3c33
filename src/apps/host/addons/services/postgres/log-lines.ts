/** PostgreSQL's own log: which of its lines are one message, how severe that is, and what must not be in it. */
import type { AddonLines } from '../../local/local-service.ts';
import { servicePriority } from '../lines/line-severity.ts';

/** `log_line_prefix` as the lines below are read: process, and the user and database of a session. */
export const LOG_LINE_PREFIX = '[%p] %q%u@%d ';

/** Severities of RFC 5424 (section 6.2.1), each as its name says. PostgreSQL's own syslog gives the lower half one less. */
const SEVERITIES: Readonly<Record<string, number>> = {
  PANIC: 1,
  FATAL: 2,
  ERROR: 3,
  WARNING: 4,
  NOTICE: 5,
  LOG: 6,
  INFO: 6,
  DEBUG: 7,
};
/** `[12] app@app ERROR:  …` begins a message, `[12] app@app DETAIL:  …` goes on with it. */
const FIRST = /^\[\d+\] (?:.*? )?(PANIC|FATAL|ERROR|WARNING|NOTICE|LOG|INFO|DEBUG)[1-5]?: {2}/;
const FURTHER = /^\[\d+\] (?:.*? )?((?:DETAIL|HINT|QUERY|CONTEXT|STATEMENT|LOCATION|BACKTRACE): {2}.*)$/;
/** Of a line without the prefix: what is said before the settings are read. */
const ANYWHERE = /\b(PANIC|FATAL|ERROR|WARNING|NOTICE|LOG|DEBUG)[1-5]?: {2}/;

/** The rest of a message comes in the same write, but maybe in the next read. */
const REST_MS = 50;
/** A statement may be of any length. */
const MESSAGE_CHARACTERS_MAX = 64 * 1024;

/** Joins the lines of each message, and writes it with its severity and without passwords. */
export function postgresLogReader(lines: AddonLines): { line(text: string): void; end(): void } {
  let message = '';
  let priority: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (message !== '') lines.write(hidePasswords(message), priority);
    message = '';
  };
  const append = (text: string): void => {
    if (message.length + text.length <= MESSAGE_CHARACTERS_MAX) message += `\n${text}`;
  };
  return {
    line: (text) => {
      const severity = FIRST.exec(text)?.[1];
      const further = severity ? undefined : FURTHER.exec(text)?.[1];
      if (message !== '' && further !== undefined) append(further);
      else if (message !== '' && !severity && text.startsWith('\t')) append(text.slice(1));
      else {
        flush();
        const said = severity ?? ANYWHERE.exec(text)?.[1];
        priority = said === undefined ? undefined : servicePriority(SEVERITIES[said]);
        message = text.slice(0, MESSAGE_CHARACTERS_MAX);
      }
      timer ??= setTimeout(flush, REST_MS);
    },
    end: flush,
  };
}

/** After PASSWORD, as a literal of SQL; one that doesn't end reaches to the end. */
const LITERAL = /\b(password\s*(?:=>?\s*|,\s*)?)(?:e?'[^']*(?:''[^']*)*(?:'|$)|\$\w*\$[^$]*(?:\$\w*\$|$))/gi;
/** In a connection string. */
const CONNECTION_WORD = /\b(password\s*=\s*)[^\s'"[]+/gi;
const URL_PASSWORD = /(:\/\/[^:/\s@']{0,100}:)[^@\s/']{1,200}@/g;

/** Takes passwords out of what is written about a statement: PostgreSQL logs statements that fail, or take long, as they were sent. */
export function hidePasswords(text: string): string {
  if (!/password|:\/\//i.test(text)) return text;
  const hidden = text
    .replace(LITERAL, "$1'[hidden]'")
    .replace(CONNECTION_WORD, '$1[hidden]')
    .replace(URL_PASSWORD, '$1[hidden]@');
  // What a parser stumbled over may be the password, or the beginning of it.
  return hidden === text ? text : hidden.replace(/\b(at or near) "[^\n]*"/g, '$1 "[hidden]"');
}
