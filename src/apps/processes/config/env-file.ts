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

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/;
/** What a quoted value ends with: the rest of its line holds at most a comment. */
const AFTER_QUOTE = /^[ \t]*(?:#.*)?$/;
const CLOSING = { "'": /^([^']*)'/, '"': /^([^"\\]*(?:\\[\s\S][^"\\]*)*)"/ } as const;

/**
 * Reads an `.env` file as foreman does: `KEY=value`, `export KEY=value`, comments; 'single quotes' are literal, "double
 * quotes" know `\n`, `\"` and may, like single ones, span lines; ` # comment` ends an unquoted value. Of a key that
 * comes twice the last value counts. Nothing is expanded: `$HOME` stays as it is.
 *
 * @throws {EnvFileError} lines that are none of this
 */
export function parseEnvFile(text: string): Record<string, string> {
  const values = new Map<string, string>();
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const content = lines[index];
    const line = index + 1;
    if (/^\s*(#.*)?$/.test(content)) continue;
    if (content.includes('\0')) throw new EnvFileError(line, 'there are NUL bytes; save the file as UTF-8.');
    const assignment = ASSIGNMENT.exec(content);
    if (assignment === null) throw new EnvFileError(line, 'this is no assignment; write KEY=value.');
    const rest = content.slice(assignment[0].length);
    const quote = rest[0];
    if (quote !== '"' && quote !== "'") {
      values.set(assignment[1], parseUnquoted(content.slice(content.indexOf('=') + 1)));
      continue;
    }
    const open = [rest.slice(1), ...lines.slice(index + 1)].join('\n');
    const closed = CLOSING[quote].exec(open);
    if (closed === null) throw new EnvFileError(line, `the quote ${quote} is never closed; close it.`);
    const lineCount = closed[0].split('\n').length;
    index += lineCount - 1;
    const after = open.slice(closed[0].length).split('\n', 1)[0];
    if (!AFTER_QUOTE.test(after)) {
      throw new EnvFileError(
        index + 1,
        `there is text after the closing ${quote}; escape the quote or remove the text.`,
      );
    }
    values.set(assignment[1], quote === '"' ? resolveEscapes(closed[1]) : closed[1]);
  }
  // Not built by assignment, which would swallow a key named __proto__.
  return Object.fromEntries(values);
}

function parseUnquoted(raw: string): string {
  return raw.replace(/\s+#.*$/, '').trim();
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
