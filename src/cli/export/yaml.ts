/** Writes YAML 1.2: mappings, lists, numbers, flags, and texts in double quotes, which are those of JSON. */
export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml | undefined };

/** One document, with a newline at its end. What is undefined is left out. */
export function yaml(value: Yaml): string {
  return `${block(value, '').replace(/^\n/, '')}\n`;
}

function block(value: Yaml, indent: string): string {
  if (typeof value !== 'object') return ` ${JSON.stringify(value)}`;
  if (isList(value)) {
    if (value.length === 0) return ' []';
    return value.map((item) => `\n${indent}-${item === undefined ? '' : inList(item, indent)}`).join('');
  }
  const entries = Object.entries(value).filter((entry): entry is [string, Yaml] => entry[1] !== undefined);
  if (entries.length === 0) return ' {}';
  return entries.map(([key, item]) => `\n${indent}${quoted(key)}:${block(item, `${indent}  `)}`).join('');
}

/** A mapping's first key stands behind the dash. */
function inList(item: Yaml, indent: string): string {
  const text = block(item, `${indent}  `);
  return text.startsWith('\n') ? ` ${text.trimStart()}` : text;
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}

/** A key that no reader takes for something else than text. */
function quoted(key: string): string {
  return /^[A-Za-z][\w./-]*$/.test(key) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(key)
    ? key
    : JSON.stringify(key);
}
