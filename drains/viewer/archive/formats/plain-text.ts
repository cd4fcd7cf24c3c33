/** Text as `heroku logs` and `tailrace logs` print it: `2026-11-28T20:00:00.123456+00:00 app[web.1]: hello`. */

import type { FileLine } from './record-writer.ts';

/** user.info: text says neither. */
const PRIORITY = 14;
/** A byte more than a message may have is enough to have it split. */
const MESSAGE_LENGTH_MAX = 100_000;
const LINE =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ([^\s[\]]{1,200})\[([^\s\]]{0,200})\]: ?(.*)$/s;

/** Reads a line; undefined when it doesn't begin with a time and a name: it goes on with the one before. */
export function readPlainLine(text: string): FileLine | undefined {
  const match = LINE.exec(text);
  if (!match || Number.isNaN(Date.parse(match[1]))) return undefined;
  return {
    record: {
      timestamp: match[1],
      priority: PRIORITY,
      hostname: '-',
      source: match[2],
      dyno: match[3] || '-',
      msgid: '-',
      structuredData: '-',
      message: match[4],
    },
    receivedAtMs: undefined,
  };
}

/** The line with one more behind it: of a stack trace, for example. */
export function withFollowingLine(line: FileLine, text: string): FileLine {
  const { record } = line;
  if (record.message.length > MESSAGE_LENGTH_MAX) return line;
  return { ...line, record: { ...record, message: `${record.message}\n${text}` } };
}
