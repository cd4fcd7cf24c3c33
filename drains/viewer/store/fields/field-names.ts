/** Which fields a line has: for people to choose from. */
import { dataParameters } from '../../../../src/logs/query/field-scanner.ts';
import type { LogRecord } from '../../../../src/logs/syslog/record.ts';

const PAIR = /(?:^|[\s({[])([A-Za-z_][\w.@-]{0,39})=(?=\S)/g;
const DEPTH_MAX = 4;
const NAMES_MAX = 100;

/** Names of the fields of a line, as they are written in a query. */
export function fieldNamesOf({ message, structuredData }: LogRecord): Set<string> {
  const names = new Set<string>();
  if (structuredData !== '-') for (const { name } of dataParameters(structuredData)) names.add(name);
  const at = message.indexOf('{');
  const json = at === -1 ? undefined : parsed(message.slice(at));
  if (json !== undefined) addNames(names, json, '', 0);
  for (const [, name] of (json === undefined ? message : message.slice(0, at)).matchAll(PAIR))
    names.add(name);
  return names;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function addNames(names: Set<string>, value: unknown, path: string, depth: number): void {
  if (names.size >= NAMES_MAX || depth > DEPTH_MAX) return;
  if (typeof value !== 'object' || value === null) {
    if (path !== '') names.add(path);
    return;
  }
  if (Array.isArray(value)) {
    if (value.length > 0) addNames(names, value[0], path, depth + 1);
    return;
  }
  for (const [key, one] of Object.entries(value))
    addNames(names, one, path === '' ? key : `${path}.${key}`, depth + 1);
}
