/** Parses octet-counted frames; an incomplete frame at the end is left out. */
export function parseFrames(text: string): string[] {
  return readFrames(text, 0).frames;
}

/** Messages of a text of frames that becomes longer: what was parsed of it isn't parsed again. */
export class GrowingMessages {
  private readonly found: string[] = [];
  private end = 0;

  /** @param text what was given before, and what has come behind it */
  of(text: string): readonly string[] {
    const { frames, end } = readFrames(text, this.end);
    this.end = end;
    for (const frame of frames) this.found.push(messageOf(frame));
    return this.found;
  }
}

/** @returns the complete frames from a place of the text on, and where they end */
function readFrames(text: string, from: number): { frames: string[]; end: number } {
  const bytes = Buffer.from(text.slice(from));
  const found: string[] = [];
  let i = 0;
  while (i < bytes.length) {
    const space = bytes.indexOf(0x20, i);
    const count = Number(bytes.toString('latin1', i, space));
    if (space === -1 || space + 1 + count > bytes.length) break;
    if (!(count > 0))
      throw new Error(`no frame at ${i}: ${JSON.stringify(bytes.toString('utf8', i, i + 80))}`);
    found.push(bytes.toString('utf8', space + 1, space + 1 + count));
    i = space + 1 + count;
  }
  return { frames: found, end: from + bytes.toString('utf8', 0, i).length };
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
