import { cutText } from '../../../../src/common/text/cut-text.ts';
import { FieldPath, someDataField, someMessageField } from '../../../../src/logs/query/field-scanner.ts';
import { type LogRecord, recordLevel } from '../../../../src/logs/syslog/record.ts';

/** What a line without the field is counted under. */
const NO_VALUE = '(none)';
const VALUE_LENGTH_MAX = 200;

/** A line, and whose it is. */
export interface GroupedLine {
  readonly record: LogRecord;
  readonly streamName: string;
}

/** Reads the value that lines are counted by: of the line itself, or of a field of logfmt, JSON or structured data. */
export function groupValueReader(field: string): (line: GroupedLine) => string {
  const read = reader(field.toLowerCase(), field);
  return (line) => cutText(read(line), VALUE_LENGTH_MAX) || NO_VALUE;
}

function reader(name: string, field: string): (line: GroupedLine) => string {
  switch (name) {
    case 'app':
    case 'stream':
      return ({ streamName }) => streamName;
    case 'source':
      return ({ record }) => record.source;
    case 'dyno':
      return ({ record }) => record.dyno;
    case 'program':
      return ({ record }) => `${record.source}/${record.dyno}`;
    case 'host':
    case 'sender':
      return ({ record }) => record.hostname;
    case 'level':
      return ({ record }) => recordLevel(record);
    case 'severity':
      return ({ record }) => String(record.priority & 7);
    default: {
      const path = new FieldPath(field);
      return ({ record }) => {
        let found = '';
        const take = (value: string): boolean => {
          found = value;
          return true;
        };
        if (record.structuredData !== '-' && someDataField(record.structuredData, path, take)) return found;
        someMessageField(record.message, path, take);
        return found === '\0' ? '' : found;
      };
    }
  }
}
