/** One process type of a Procfile. */
export interface ProcfileEntry {
  /** The process type, `web`. */
  type: string;
  /** The shell command of its dynos. */
  command: string;
  /** Line number, from 1. */
  line: number;
}

/** A Procfile that can't be used. The message says where and what to do about it. */
export class ProcfileError extends Error {
  override readonly name = 'ProcfileError';
  /** Line number, from 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(`Procfile line ${line}: ${message}`);
    this.line = line;
  }
}

const ENTRY = /^([A-Za-z0-9_-]+):(.*)$/s;

/**
 * Reads a Procfile as foreman and `heroku local` do, except that a line they would silently ignore is an error here.
 * Comments (`#`), blank lines, CRLF and a byte order mark are fine.
 *
 * @throws {ProcfileError} unreadable lines, duplicate types, no entry at all, a file that isn't UTF-8
 */
export function parseProcfile(text: string): ProcfileEntry[] {
  rejectOtherEncodings(text);
  const entries: ProcfileEntry[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = index + 1;
    const content = raw.trimEnd();
    if (content === '' || content.trimStart().startsWith('#')) continue;
    const [, type, rest] = ENTRY.exec(content) ?? [];
    const command = rest?.trimStart();
    if (type === undefined || !command) throw new ProcfileError(line, describeSyntaxError(content));
    if (type === '__proto__') throw new ProcfileError(line, `"${type}" can't be a process type; rename it.`);
    const before = lineOf.get(type);
    if (before !== undefined) {
      throw new ProcfileError(
        line,
        `"${type}" is already defined on line ${before}; rename or remove one of them.`,
      );
    }
    lineOf.set(type, line);
    entries.push({ type, command, line });
  }
  if (entries.length === 0) {
    throw new ProcfileError(
      1,
      'there is no process type in the file; add a line such as "web: node server.js".',
    );
  }
  return entries;
}

/** UTF-16 read as UTF-8 shows as NULs between the letters, or as a broken byte order mark. */
function rejectOtherEncodings(text: string): void {
  const nul = text.indexOf('\0');
  if (nul === -1 && !text.startsWith('\uFFFD\uFFFD')) return;
  const line = text.slice(0, Math.max(nul, 0)).split('\n').length;
  throw new ProcfileError(line, 'there are NUL bytes, probably from UTF-16; save the file as UTF-8.');
}

function describeSyntaxError(content: string): string {
  const shown = JSON.stringify(content.length > 60 ? `${content.slice(0, 60)}…` : content);
  if (/^\s/.test(content))
    return `${shown} starts with white space; remove it, an entry starts in the first column.`;
  if (/^[A-Za-z0-9_-]+:$/.test(content)) return `${shown} has no command; write one after the colon.`;
  if (/^[^:]+:/.test(content)) {
    return `${shown} has a process type with other characters than letters, digits, "_" and "-"; rename it.`;
  }
  return `${shown} is no entry; write "type: command", or "#" before a comment.`;
}
