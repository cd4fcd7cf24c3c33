import type { RecordCursor } from '../syslog/batch.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Bytes kept free in front, for what is only known when the lines are written. */
const ROOM = 64;
/** For what stands between lines and around them. */
const MARGIN = 256;

/** Lines of text that are being put together for a wire, as bytes: most need nothing but copying. */
export class Block {
  private bytes: Buffer;
  private end = ROOM;

  /** @param size bytes that will mostly do. */
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(ROOM + size + MARGIN);
  }

  /** Bytes that were added. */
  get length(): number {
    return this.end - ROOM;
  }

  /** Adds a text in Latin-1. */
  put(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.end++] = text.charCodeAt(i);
  }

  /** Adds a text in UTF-8. */
  putText(text: string): void {
    this.reserve(text.length * 3);
    this.end += this.bytes.write(text, this.end);
  }

  /** What was added, with a text in Latin-1 (64 characters at the most) in front. */
  close(front: string): Buffer {
    const start = ROOM - front.length;
    for (let i = 0; i < front.length; i++) this.bytes[start + i] = front.charCodeAt(i);
    return this.bytes.subarray(start, this.end);
  }

  /**
   * Adds a line as it is displayed (see `textLine`) when it stands for itself: printable ASCII.
   * @param quoted it will stand within a JSON string.
   * @returns false, with nothing added, when there is anything else in it.
   */
  copyLine(line: RecordCursor, from: Buffer, quoted: boolean): boolean {
    this.reserve(line.textEnd - line.textStart + MARGIN);
    const { bytes } = this;
    let o = this.end;
    let i = line.textStart + 3;
    while (from[i] !== SPACE) i++;
    for (i++; i < line.hostStart; i++) bytes[o++] = from[i];
    let bracket = 0x5b;
    for (i = line.sourceStart; i < line.msgidStart; i++) {
      let byte = from[i];
      if (byte < SPACE || byte > 0x7e || byte === QUOTE || byte === BACKSLASH) return false;
      if (byte === SPACE) {
        byte = bracket;
        bracket = 0x5d;
      }
      bytes[o++] = byte;
    }
    bytes[o++] = 0x3a;
    bytes[o++] = SPACE;
    const { textEnd } = line;
    for (i = line.messageStart; i < textEnd; i++) {
      const byte = from[i];
      if (byte < SPACE || byte > 0x7e || (quoted && (byte === QUOTE || byte === BACKSLASH))) return false;
      bytes[o++] = byte;
    }
    this.end = o;
    return true;
  }

  private reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }
}
