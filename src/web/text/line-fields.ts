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

/** The value of a field, by the name that searches have for it: in any case, and what is before a `#` (l2met) may be left out. */
export function fieldValue(line: Line, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const named = lineFields(line).find(({ key }) => {
    const own = key.toLowerCase();
    return own === wanted || own.slice(own.indexOf('#') + 1) === wanted;
  });
  return named?.value;
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
