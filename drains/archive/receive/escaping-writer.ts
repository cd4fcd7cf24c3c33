/** Collects the bytes of one write: a buffer that grows, so that a line costs copies but no objects. */

const TAB = 0x09;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DELETE = 0x7f;
/** In UTF-8, the C1 controls U+0080 to U+009F (one of them, CSI, starts terminal sequences as well) are C2 80 to C2 9F. */
const C1_LEAD = 0xc2;

/** Per byte: 1 if it may have to be escaped. A table, because every byte of every message is looked up. */
const NEWLINES = byteTable((byte) => byte === NEWLINE);
const CONTROLS = byteTable((byte) => (byte < 0x20 && byte !== TAB) || byte === DELETE || byte === C1_LEAD);

export class EscapingWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(byteCountGuess: number) {
    this.buffer = Buffer.allocUnsafe(Math.max(byteCountGuess, 64));
  }

  /** What was written: a view of memory that more writing may replace. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Nothing in it is escaped. */
  writeAscii(text: string): void {
    this.reserve(text.length);
    this.length += this.buffer.write(text, this.length, 'latin1');
  }

  /** Copies, and escapes newlines as `\n`. */
  copyEscapingNewlines(source: Buffer, from: number, to: number): void {
    this.copy(source, from, to, NEWLINES);
  }

  /** Copies, and escapes every control character but the tab: `\n`, `\r`, `\x1b`. */
  copyEscapingControls(source: Buffer, from: number, to: number): void {
    this.copy(source, from, to, CONTROLS);
  }

  private copy(source: Buffer, from: number, to: number, escaped: Uint8Array): void {
    let start = from;
    for (let at = from; at < to; at++) {
      const byte = source[at];
      if (escaped[byte] === 0) continue;
      const byteCount = byte === C1_LEAD ? 2 : 1;
      if (byteCount === 2 && !(at + 1 < to && source[at + 1] >= 0x80 && source[at + 1] <= 0x9f)) continue;
      this.append(source, start, at);
      this.escape(byte);
      // The second byte alone would be invalid UTF-8.
      if (byteCount === 2) this.escape(source[at + 1]);
      start = at + byteCount;
      at = start - 1;
    }
    this.append(source, start, to);
  }

  private escape(byte: number): void {
    if (byte === NEWLINE) this.writeAscii('\\n');
    else if (byte === CARRIAGE_RETURN) this.writeAscii('\\r');
    else this.writeAscii(`\\x${byte.toString(16).padStart(2, '0')}`);
  }

  private append(source: Buffer, from: number, to: number): void {
    this.reserve(to - from);
    this.length += source.copy(this.buffer, this.length, from, to);
  }

  private reserve(byteCount: number): void {
    const needed = this.length + byteCount;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

function byteTable(mayEscape: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (mayEscape(byte) ? 1 : 0));
}
