/** Rewrites the header of a line whose source was identified by something else than its APP-NAME. */
import { maskTokens } from '../syslog/fields/token-text.ts';
import type { SyslogHeader } from '../syslog/header.ts';

const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
const NIL = '-';
/** More than is stored of any field: what is longer could make the header longer than it may be. */
const FIELD_CHARACTERS_MAX = 1_000;

/** One field of a header, without the space behind it; '' when the line ended before it. */
export function readHeaderField(bytes: Uint8Array, start: number, end: number): string {
  let stop = start;
  while (stop < end && bytes[stop] !== SPACE) stop++;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, stop - start).toString('latin1');
}

/** What is different in the rewritten line. */
export interface HeaderChanges {
  /** The source's name. An APP-NAME that differs from it becomes part of the dyno's name: `postgres.4711`. */
  readonly source: string;
  /** The whole name of the dyno, when APP-NAME held it; a MSGID that repeats APP-NAME is left out then. */
  readonly dyno?: string;
  /** HOSTNAME was the token: it is left out. */
  readonly dropHost?: boolean;
}

/** The line `bytes[start, end)`, as RFC 5424, with the program's name kept in the dyno's. */
export function rewriteHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
  { source, dyno, dropHost }: HeaderChanges,
): Buffer {
  const { hostStart, sourceStart, dynoStart, msgidStart, sdStart, sdEnd, messageStart } = header;
  const field = (from: number, limit: number): string =>
    readHeaderField(bytes, from, limit).slice(0, FIELD_CHARACTERS_MAX);
  const host = dropHost ? NIL : field(hostStart, sourceStart) || NIL;
  const program = field(sourceStart, end);
  const pid = field(dynoStart, messageStart);
  const given = field(msgidStart, messageStart) || NIL;
  const msgid = dyno !== undefined && given === program ? NIL : given;
  const name = dyno === undefined ? dynoName(source, program, pid) : dyno.slice(0, FIELD_CHARACTERS_MAX);
  const hasData = sdEnd > sdStart && bytes[sdStart] === OPEN_BRACKET;
  const message = bytes.subarray(messageStart, end);
  return Buffer.concat([
    bytes.subarray(start, hostStart),
    Buffer.from(`${host} ${source} ${name || NIL} ${msgid} ${hasData ? '' : `${NIL} `}`, 'latin1'),
    bytes.subarray(sdStart, hasData ? sdEnd : sdStart),
    // A header that says that there are no structured data would hide that these may have been some.
    header.mayHoldToken ? maskTokens(message, 0, message.length) : message,
  ]);
}

function dynoName(source: string, program: string, pid: string): string {
  const names = [program, pid].filter((name) => name !== '' && name !== NIL && name !== source);
  return names.join('.') || NIL;
}
