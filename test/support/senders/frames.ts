/** Parses octet-counted frames; an incomplete frame at the end is left out. */
export function parseFrames(text: string): string[] {
  const bytes = Buffer.from(text);
  const found: string[] = [];
  for (let i = 0; i < bytes.length; ) {
    const space = bytes.indexOf(0x20, i);
    const count = Number(bytes.toString('latin1', i, space));
    if (space === -1 || space + 1 + count > bytes.length) break;
    if (!(count > 0))
      throw new Error(`no frame at ${i}: ${JSON.stringify(bytes.toString('utf8', i, i + 80))}`);
    found.push(bytes.toString('utf8', space + 1, space + 1 + count));
    i = space + 1 + count;
  }
  return found;
}

/** The message of a line in Heroku's HTTPS form (no structured data) or in RFC 5424 form with `-` for it. */
export function messageOf(frame: string): string {
  const match = /^<\d+>1 \S+ \S+ \S+ \S+ \S+ (?:- )?(.*?)\n?$/s.exec(frame);
  if (!match) throw new Error(`not a line: ${JSON.stringify(frame)}`);
  return match[1];
}

/** Is this a line about a drain that failed or recovered? Those come between the lines that a test has sent. */
export function isDrainEvent(message: string): boolean {
  return /^Drain 'd\.[^']+' \(.*\) accepts /.test(message);
}

/** Messages without repetitions and drain events, for delivery at least once and in order. */
export function withoutDuplicates(messages: readonly string[]): string[] {
  return [...new Set(messages)].filter((message) => !isDrainEvent(message));
}
