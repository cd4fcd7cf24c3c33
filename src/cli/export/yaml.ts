/** Writes YAML 1.2: mappings, lists, numbers, flags, and texts in double quotes, which are those of JSON. */
export type YamlValue =
  | string
  | number
  | boolean
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue | undefined };

/** One document, with a newline at its end. What is undefined is left out. */
export function toYaml(value: YamlValue): string {
  return `${writeValue(value, '').replace(/^\n/, '')}\n`;
}

function writeValue(value: YamlValue, indent: string): string {
  if (typeof value !== 'object') return ` ${JSON.stringify(value)}`;
  if (isList(value)) {
    if (value.length === 0) return ' []';
    return value
      .map((item) => `\n${indent}-${item === undefined ? '' : writeListItem(item, indent)}`)
      .join('');
  }
  const entries = Object.entries(value).filter(
    (entry): entry is [string, YamlValue] => entry[1] !== undefined,
  );
  if (entries.length === 0) return ' {}';
  return entries
    .map(([key, item]) => `\n${indent}${quoteKey(key)}:${writeValue(item, `${indent}  `)}`)
    .join('');
}

/** A mapping's first key follows the dash. */
function writeListItem(item: YamlValue, indent: string): string {
  const text = writeValue(item, `${indent}  `);
  return text.startsWith('\n') ? ` ${text.trimStart()}` : text;
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}

/** A key that no reader takes for something else than text. */
function quoteKey(key: string): string {
  return /^[A-Za-z][\w./-]*$/.test(key) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(key)
    ? key
    : JSON.stringify(key);
}
