/**
 * The header of a line that has none, and comes behind one that has: the following lines of a stack trace, or of whatever else was
 * written in several lines. It is of the priority, host and dyno of the line before, and of the time of its own arrival.
 */
import { defaultHeader } from '../syslog/default-header.ts';
import { SyslogHeader, scanHeader } from '../syslog/header.ts';

const SPACE = 0x20;
/** So much of a line is kept: with all fields as long as they may be, and a token and a dyno as APP-NAME, its header is shorter. */
const HEADER_BYTES = 768;
const WITHOUT_LINE_BEFORE = defaultHeader('-');

export class FollowUpHeader {
  /** The line before. */
  private bytes: Uint8Array | undefined;
  private start = 0;
  private end = 0;
  /** The beginning of it, when its bytes were let go. */
  private kept: Buffer | undefined;
  /** The beginning of a line whose bytes were gone from the first. */
  private copied: Buffer | undefined;
  /** Its host was stamped: what follows has its own stamped. */
  private isStamped = false;
  private readonly scanned = new SyslogHeader();

  /** The line `bytes[start, end)`, with a header of RFC 5424, is the line before. */
  note(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.isStamped = false;
  }

  /** The same for bytes that won't be there any more. */
  noteCopy(bytes: Uint8Array, start: number, end: number, isStamped: boolean): void {
    this.copied ??= Buffer.allocUnsafeSlow(HEADER_BYTES);
    const length = Math.min(end - start, HEADER_BYTES);
    this.copied.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, length));
    this.note(this.copied, 0, length);
    this.isStamped = isStamped;
  }

  /** The line before isn't known, or nobody's. */
  clear(): void {
    this.bytes = undefined;
  }

  /** What was in `bytes` is in `others` as well, from `offset` on; the former are about to be used for something else. */
  moveTo(others: Uint8Array, bytes: Uint8Array, offset: number): void {
    if (this.bytes !== bytes) return;
    if (this.start < offset) this.letGo();
    else this.note(others, this.start - offset, this.end - offset);
  }

  /** The bytes of the line before are about to be given back. */
  letGo(): void {
    const { bytes, start } = this;
    if (!bytes || bytes === this.kept || bytes === this.copied) return;
    this.kept ??= Buffer.allocUnsafeSlow(HEADER_BYTES);
    const length = Math.min(this.end - start, HEADER_BYTES);
    const { kept } = this;
    // Byte by byte: they are few, and a view of them would have to be allocated.
    for (let i = 0; i < length; i++) kept[i] = bytes[start + i];
    this.note(kept, 0, length);
  }

  /** The header for a line that follows; one that says nothing when there is no line before. */
  get header(): Buffer {
    const { bytes, start, end, scanned } = this;
    if (!bytes || !scanHeader(bytes, start, end, scanned)) return WITHOUT_LINE_BEFORE;
    const field = (from: number): string => readField(bytes, from, end);
    const priority = field(start); // with the version
    return Buffer.from(
      `${priority} - ${this.isStamped ? '-' : field(scanned.hostStart)} token ${field(scanned.dynoStart)} - - `,
      'latin1',
    );
  }
}

/** The header field at `start`, or a NILVALUE where the line ended before it. */
function readField(bytes: Uint8Array, start: number, end: number): string {
  let stop = start;
  while (stop < end && bytes[stop] !== SPACE) stop++;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, stop - start).toString('latin1') || '-';
}
