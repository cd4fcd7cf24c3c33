/** A word for a POSIX shell, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A value as one would type it: in quotes where a shell needs them. */
export function shellValue(text: string): string {
  return /^[\w@%+:,./-]+$/.test(text) ? text : shellQuote(text);
}
