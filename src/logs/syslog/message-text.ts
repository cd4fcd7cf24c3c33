import type { RecordCursor } from './batch.ts';

const ESCAPE = '\u001b';
/** SGR of ECMA-48 section 8.3.117, which terminals color text by. */
const COLORS = /\u001b\[[\d;:]*m/g;

/** May there be color codes in a text? */
export function hasColors(text: string): boolean {
  return text.includes(ESCAPE);
}

/** A text without color codes: for files and pipes, and for searches, where what they stand between are words of one piece. */
export function stripColors(text: string): string {
  return hasColors(text) ? text.replace(COLORS, '') : text;
}

/** One line's message as text, decoded when it is read; one object is reused for line after line. */
export class MessageText {
  private bytes: Buffer = Buffer.alloc(0);
  private start = 0;
  private end = 0;
  private latin1Text: string | undefined = undefined;
  private utf8Text: string | undefined;

  /** Sets the message to that of the line under the cursor. */
  setLine(line: RecordCursor, bytes: Buffer): void {
    this.bytes = bytes;
    this.start = line.messageStart;
    this.end = line.textEnd;
    this.latin1Text = undefined;
    this.utf8Text = undefined;
  }

  /** One character a byte: fast, and good enough to search for ASCII. */
  get latin1(): string {
    this.latin1Text ??= this.bytes.toString('latin1', this.start, this.end);
    return this.latin1Text;
  }

  get utf8(): string {
    this.utf8Text ??= this.bytes.toString('utf8', this.start, this.end);
    return this.utf8Text;
  }

  /** {@link latin1} without its colors; undefined when it has none. */
  get plainLatin1(): string | undefined {
    return hasColors(this.latin1) ? stripColors(this.latin1) : undefined;
  }

  /** {@link utf8} without its colors; undefined when it has none. */
  get plainUtf8(): string | undefined {
    return hasColors(this.utf8) ? stripColors(this.utf8) : undefined;
  }
}
