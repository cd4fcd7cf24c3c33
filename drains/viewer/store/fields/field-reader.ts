/** Reads the value of a field of a line: of the same lines and fields as a query finds it in. */
import {
  CONTAINER,
  FieldPath,
  someDataField,
  someMessageField,
} from '../../../../src/logs/query/field-scanner.ts';
import { facilityName } from '../../../../src/logs/query/query-syntax.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { headerFieldEnd, lineLevel, linePriority } from '../../../../src/logs/syslog/record.ts';

/** Longer values are cut: they are for people, and for a group by. */
const VALUE_CHARACTERS_MAX = 200;
const DASH = 0x2d;
const SPACE = 0x20;

/** The value of the line under the cursor; undefined when it has none. */
export type ReadField = (line: RecordCursor, bytes: Buffer) => string | undefined;

/** @param name as in a query: `source`, `dyno`, `level`, or a path of logfmt, JSON or structured data */
export function fieldReader(name: string): ReadField {
  switch (name.toLowerCase()) {
    case 'source':
    case 'dyno':
    case 'program':
    case 'host':
    case 'sender': {
      const read = originReader(name);
      return (line, bytes) => read(bytes.toString('latin1', line.hostStart, line.msgidStart));
    }
    case 'level':
    case 'severity':
      return lineLevel;
    case 'facility':
      return (line, bytes) => facilityName(linePriority(line, bytes) >> 3);
    case 'message':
      return (line, bytes) =>
        bytes.toString(
          'utf8',
          line.messageStart,
          Math.min(line.textEnd, line.messageStart + VALUE_CHARACTERS_MAX),
        );
    default:
      return messageFieldReader(name);
  }
}

/**
 * Reads who wrote a line, of its header from HOST up to MSGID: `host app web.1 `.
 * @param name `source`, `dyno`, `program`, `host` or `sender`
 */
export function originReader(name: string): (header: string) => string {
  switch (name.toLowerCase()) {
    case 'source':
      return (header) => originOf(header).source;
    case 'dyno':
      return (header) => originOf(header).dyno;
    case 'program':
      return (header) => {
        const { source, dyno } = originOf(header);
        return `${source}/${dyno}`;
      };
    default:
      return (header) => header.slice(0, header.indexOf(' '));
  }
}

function originOf(header: string): { readonly source: string; readonly dyno: string } {
  const sourceAt = header.indexOf(' ') + 1;
  const sourceEnd = header.indexOf(' ', sourceAt);
  return { source: header.slice(sourceAt, sourceEnd), dyno: header.slice(sourceEnd + 1, header.length - 1) };
}

function messageFieldReader(name: string): ReadField {
  const path = new FieldPath(name);
  // In an object: the compiler doesn't see that a test assigns it.
  const found: { value?: string } = {};
  const take = (value: string): boolean => {
    if (value === CONTAINER || value === 'null') return false;
    found.value = value.slice(0, VALUE_CHARACTERS_MAX);
    return true;
  };
  return (line, bytes) => {
    found.value = undefined;
    const start = headerFieldEnd(bytes, line.msgidStart, line.messageStart) + 1;
    if (bytes[start] !== DASH || bytes[start + 1] !== SPACE)
      someDataField(bytes.toString('utf8', start, line.messageStart - 1), path, take);
    if (found.value === undefined)
      someMessageField(bytes.toString('utf8', line.messageStart, line.textEnd), path, take);
    return found.value;
  };
}
