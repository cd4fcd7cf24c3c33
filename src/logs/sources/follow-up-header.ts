/**
 * The header of a line that has none, and comes behind one that has: the following lines of a stack trace, or of whatever else was
 * written in several lines. It is of the priority, host and dyno of the line before, and of the time of its own arrival.
 */
import { defaultHeader } from '../syslog/default-header.ts';
import type { SyslogHeader } from '../syslog/header.ts';

const SPACE = 0x20;
/** A header with longer fields isn't kept. */
const HEADER_BYTES = 512;
/** Time: of arrival. */
const NO_TIME = Buffer.from('- ');
const APP_NAME = Buffer.from('token ');
const NIL = Buffer.from('- ');
/** No MSGID, no structured data. */
const NOTHING_ELSE = Buffer.from('- - ');
const WITHOUT_LINE_BEFORE = defaultHeader('-');

export class FollowUpHeader {
  /** The line before: its bytes stay as they are until {@link keep}. */
  private bytes: Uint8Array | undefined;
  private start = 0;
  private timeStart = 0;
  private hostStart = 0;
  private sourceStart = 0;
  private dynoStart = 0;
  private end = 0;
  /** What is kept of it. */
  private kept: Buffer | undefined;
  private keptBytes = 0;

  /** The line `bytes[start, end)`, whose header was scanned, is the line before. */
  note(bytes: Uint8Array, start: number, end: number, header: SyslogHeader): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.timeStart = header.timeStart;
    this.hostStart = header.hostStart;
    this.sourceStart = header.sourceStart;
    this.dynoStart = header.dynoStart;
  }

  /** The line before isn't known, or nobody's. */
  clear(): void {
    this.bytes = undefined;
    this.keptBytes = 0;
  }

  /** The bytes of the line before are about to be given back. */
  keep(): void {
    const { bytes } = this;
    if (!bytes) return;
    this.bytes = undefined;
    this.keptBytes = 0;
    let dynoEnd = this.dynoStart;
    while (dynoEnd < this.end && bytes[dynoEnd] !== SPACE) dynoEnd++;
    const need = this.timeStart - this.start + this.sourceStart - this.hostStart + dynoEnd - this.dynoStart;
    if (need > HEADER_BYTES - 32) return;
    this.kept ??= Buffer.allocUnsafeSlow(HEADER_BYTES);
    this.put(bytes, this.start, this.timeStart);
    this.put(NO_TIME, 0, NO_TIME.length);
    this.put(bytes, this.hostStart, this.sourceStart);
    this.put(APP_NAME, 0, APP_NAME.length);
    if (dynoEnd > this.dynoStart) {
      this.put(bytes, this.dynoStart, dynoEnd);
      this.kept[this.keptBytes++] = SPACE;
    } else this.put(NIL, 0, NIL.length);
    this.put(NOTHING_ELSE, 0, NOTHING_ELSE.length);
  }

  /** The header for a line that follows; one that says nothing when there is no line before. */
  get header(): Buffer {
    this.keep();
    return this.kept && this.keptBytes > 0 ? this.kept.subarray(0, this.keptBytes) : WITHOUT_LINE_BEFORE;
  }

  /** Byte by byte: they are few, and a view of them would have to be allocated. */
  private put(from: Uint8Array, start: number, end: number): void {
    const kept = this.kept!;
    for (let i = start; i < end; i++) kept[this.keptBytes++] = from[i];
  }
}
