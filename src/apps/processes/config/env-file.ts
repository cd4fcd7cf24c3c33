import { isUtf8 } from 'node:buffer';

const NEWLINE = 0x0a;

/** An `.env` file that can't be used. The message says where and what to do about it. */
export class EnvFileError extends Error {
  override readonly name = 'EnvFileError';
  /** Line number, from 1: where the unreadable entry starts. */
  readonly line: number;

  constructor(line: number, message: string) {
    // The line itself is never part of the message: it may hold a secret.
    super(`.env line ${line}: ${message}`);
    this.line = line;
  }
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)(?:[ \t]*=[ \t]*|:(?:[ \t]+|$))/;
/** What a quoted value ends with: the rest of its line holds at most a comment. */
const AFTER_QUOTE = /^[ \t]*(?:#.*)?$/;
/** A quoted value, from behind its quote on. */
const QUOTED = { "'": /([^']*)'/y, '"': /([^"\\]*(?:\\[\s\S][^"\\]*)*)"/y } as const;

/**
 * Reads an `.env` file as foreman does: `KEY=value`, `export KEY=value`, comments; 'single quotes' are literal, "double
 * quotes" know `\n`, `\"` and may, like single ones, span lines; ` # comment` ends an unquoted value. Of a key that
 * comes twice the last value counts; there may be dots in it. `KEY: value`, as dotenv and Compose read it, is one, too. Nothing is expanded: `$HOME` stays as it is.
 *
 * @throws {EnvFileError} lines that are none of this
 */
export function parseEnvFile(text: string): Record<string, string> {
  const values = new Map<string, string>();
  const content = withNewlines(text.replace(/^\uFEFF/, ''));
  for (let at = 0, line = 1; at < content.length; line += 1) {
    const newline = content.indexOf('\n', at);
    let end = newline === -1 ? content.length : newline;
    const entry = content.slice(at, end);
    const entryAt = at;
    at = end + 1;
    if (/^\s*(?:#|$)/.test(entry)) continue;
    if (entry.includes('\0')) throw new EnvFileError(line, 'there are NUL bytes; save the file as UTF-8.');
    const assignment = ASSIGNMENT.exec(entry);
    if (assignment === null) throw new EnvFileError(line, 'this is no assignment; write KEY=value.');
    const [start, key] = assignment;
    const quote = entry[start.length];
    if (quote !== '"' && quote !== "'") {
      // The space before a comment is none of the assignment's.
      values.set(key, parseUnquoted(entry.slice(start.trimEnd().length)));
      continue;
    }
    const quoted = QUOTED[quote];
    quoted.lastIndex = entryAt + start.length + 1;
    const value = quoted.exec(content)?.[1];
    if (value === undefined) throw new EnvFileError(line, `the quote ${quote} is never closed; close it.`);
    for (let i = value.indexOf('\n'); i !== -1; i = value.indexOf('\n', i + 1)) line += 1;
    end = content.indexOf('\n', quoted.lastIndex);
    const after = content.slice(quoted.lastIndex, end === -1 ? content.length : end);
    at = end === -1 ? content.length : end + 1;
    if (!AFTER_QUOTE.test(after))
      throw new EnvFileError(
        line,
        `there is text after the closing ${quote}; escape the quote or remove the text.`,
      );
    values.set(key, quote === '"' ? resolveEscapes(value) : value);
  }
  // Not built by assignment, which would swallow a key named __proto__.
  return Object.fromEntries(values);
}

/**
 * The text of an `.env` file. In another encoding a comment may be, but no value: it would be another one.
 * @throws {EnvFileError} names the line that isn't UTF-8
 */
export function decodeEnvFile(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  for (let at = 0, line = 1; at < bytes.length; line += 1) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline;
    const entry = bytes.subarray(at, end);
    if (!isUtf8(entry) && !/^\s*#/.test(entry.toString('latin1')))
      throw new EnvFileError(line, 'there are bytes that are no UTF-8; save the file as UTF-8.');
    at = end + 1;
  }
  return bytes.toString();
}

/** Lines that end as on Windows, or all of them as once on a Mac: all would be the value of the first. */
function withNewlines(text: string): string {
  return text.includes('\n') ? text.replaceAll('\r\n', '\n') : text.replaceAll('\r', '\n');
}

/** Up to a `#` behind white space. */
function parseUnquoted(raw: string): string {
  for (let at = raw.indexOf('#'); at !== -1; at = raw.indexOf('#', at + 1))
    if (/\s/.test(raw[at - 1] ?? '')) return raw.slice(0, at).trim();
  return raw.trim();
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  $: '$',
  '`': '`',
};

/** An escape that isn't known keeps its backslash, so that regular expressions survive. */
function resolveEscapes(quoted: string): string {
  return quoted.replace(/\\([\s\S])/g, (both, character: string) => ESCAPES[character] ?? both);
}

/** A value that needs no quotes. */
const PLAIN_VALUE = /^[\w@%+:,./=-]*$/;

/** Lines that {@link parseEnvFile} reads as these values, whatever is in them but NUL bytes. */
export function formatEnvFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${PLAIN_VALUE.test(value) ? value : quoteValue(value)}\n`)
    .join('');
}

function quoteValue(value: string): string {
  const escaped = value
    .replaceAll(/["\\$`]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}
