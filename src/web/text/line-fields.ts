/** All fields of a line: of its message, and of its structured data. */
import { dataParameters } from '../../logs/query/field-scanner.ts';
import type { Line } from '../stream/line.ts';
import type { MessageField } from './message-fields.ts';
import { parseMessage } from './parsed-message.ts';

const cache = new WeakMap<Line, readonly MessageField[]>();

/** The fields, those of the message first. */
export function lineFields(line: Line): readonly MessageField[] {
  let fields = cache.get(line);
  if (!fields) {
    fields = [...parseMessage(line).fields, ...dataFields(line.structured_data)];
    cache.set(line, fields);
  }
  return fields;
}

/** The value of a field; undefined when the line has none of that name. */
export function fieldValue(line: Line, key: string): string | undefined {
  return lineFields(line).find((field) => field.key === key)?.value;
}

/** Does a field name what several lines, also of other apps, have in common: a trace, a request? */
export function namesTrace({ key, value }: MessageField): boolean {
  return /^(?:.*[._-])?(?:trace|request|correlation)[._-]?id$/i.test(key) && /^[\w-]{8,64}$/.test(value);
}

/** The fields of structured data, as senders of NDJSON and OTLP name them. */
function dataFields(data: string | undefined): MessageField[] {
  return dataParameters(data ?? '').map(({ name, value }) => ({
    key: name,
    value,
    kind: /^[{[]/.test(value) ? 'list' : /^-?\d+(?:\.\d+)?$/.test(value) ? 'number' : 'text',
  }));
}
