/** Rewrites the header of a line whose source was identified by something else than its APP-NAME. */
import type { SyslogHeader } from '../syslog/header.ts';

const SPACE = 0x20;
const NIL = '-';
const ELEMENT = Buffer.from('[tailrace@32473 ');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;

/** Where the structured data element `[tailrace@32473 token="…"]` is, and the token in it. */
export interface TokenElement {
  readonly start: number;
  readonly end: number;
  readonly token: string;
}

/** The element with the token, if the line has one (32473 is RFC 5612's number for examples and private use). */
export function findTokenElement(bytes: Uint8Array, header: SyslogHeader): TokenElement | undefined {
  if (header.sdEnd - header.sdStart < ELEMENT.length) return undefined;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset + header.sdStart, header.sdEnd - header.sdStart);
  const at = data.indexOf(ELEMENT);
  if (at === -1) return undefined;
  let end = at + ELEMENT.length;
  for (let quoted = false; end < data.length && (quoted || data[end] !== CLOSE_BRACKET); end++) {
    if (data[end] === BACKSLASH) end++;
    else if (data[end] === QUOTE) quoted = !quoted;
  }
  const token = /[ ]token="(t\.[\w-]{1,64})"/.exec(data.toString('latin1', at, end))?.[1];
  if (token === undefined) return undefined;
  return { start: header.sdStart + at, end: header.sdStart + end + 1, token };
}

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
  /** This element of the structured data is left out. */
  readonly dropElement?: TokenElement;
}

/** The line `bytes[start, end)`, as RFC 5424, with the program's name kept in the dyno's. */
export function rewriteHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: SyslogHeader,
  { source, dyno, dropHost, dropElement }: HeaderChanges,
): Buffer {
  const { hostStart, sourceStart, dynoStart, msgidStart, sdStart, sdEnd, messageStart } = header;
  const host = dropHost ? NIL : readHeaderField(bytes, hostStart, sourceStart) || NIL;
  const program = readHeaderField(bytes, sourceStart, end);
  const pid = readHeaderField(bytes, dynoStart, messageStart);
  const given = readHeaderField(bytes, msgidStart, messageStart) || NIL;
  const msgid = dyno !== undefined && given === program ? NIL : given;
  const head = `${host} ${source} ${dyno === undefined ? dynoName(source, program, pid) : dyno || NIL} ${msgid} `;
  const data = dropElement
    ? [bytes.subarray(sdStart, dropElement.start), bytes.subarray(dropElement.end, sdEnd)]
    : [bytes.subarray(sdStart, sdEnd)];
  const text = Buffer.concat(data).toString('latin1').trimEnd();
  return Buffer.concat([
    bytes.subarray(start, hostStart),
    Buffer.from(head, 'latin1'),
    Buffer.from(`${text || NIL} `, 'latin1'),
    bytes.subarray(messageStart, end),
  ]);
}

function dynoName(source: string, program: string, pid: string): string {
  const names = [program, pid].filter((name) => name !== '' && name !== NIL && name !== source);
  return names.join('.') || NIL;
}
