import { stripColors } from '../../common/text/colors.ts';
import type { RecordCursor } from '../syslog/batch.ts';
import { headerFieldEnd, linePriority } from '../syslog/record.ts';
import { dataParameters } from './field-scanner.ts';
import { scannedMessageLevel } from './prefilter/wasm-search.ts';

const DASH = 0x2d;
const SPACE = 0x20;
/** Severities that say nothing (syslog/level.ts), and those that a message's level stands for. */
const NOTICE = 5;
const INFORMATIONAL = 6;
const LEVEL_SEVERITIES = { error: 3, warn: 4, info: INFORMATIONAL, debug: 7 };

/** What an expression asks of one line, read when it is asked for; one object is reused for line after line. */
export class QueryLine {
  private line: RecordCursor | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private isColored = false;
  private wholeText: string | undefined;
  private latin1Text: string | undefined;
  private utf8Text: string | undefined;
  private originText: string | undefined;
  private values: readonly string[] | undefined;
  private severityNumber: number | undefined;

  /** @param isColored there may be color codes in the message: it is read without them */
  setLine(line: RecordCursor, bytes: Buffer, isColored: boolean): void {
    this.line = line;
    this.isColored = isColored;
    this.bytes = bytes;
    this.wholeText = undefined;
    this.latin1Text = undefined;
    this.utf8Text = undefined;
    this.originText = undefined;
    this.values = undefined;
    this.severityNumber = undefined;
  }

  /** From HOST on to the end, a character a byte: enough to see that some ASCII isn't in it. */
  get whole(): string {
    this.wholeText ??= this.readWhole();
    return this.wholeText;
  }

  /** The message, a character a byte. */
  get latin1(): string {
    this.latin1Text ??= this.whole.slice(this.cursor.messageStart - this.cursor.hostStart);
    return this.latin1Text;
  }

  /** The message. */
  get message(): string {
    this.utf8Text ??= this.readMessage('utf8');
    return this.utf8Text;
  }

  /** HOSTNAME of RFC 5424 (section 6.2.4), a character a byte. */
  get host(): string {
    const { hostStart, sourceStart } = this.cursor;
    return this.bytes.toString('latin1', hostStart, sourceStart - 1);
  }

  /** The name of the source, which is stored in the place of APP-NAME (RFC 5424 section 6.2.5), a character a byte. */
  get source(): string {
    const { sourceStart, msgidStart } = this.cursor;
    return this.bytes.toString('latin1', sourceStart, headerFieldEnd(this.bytes, sourceStart, msgidStart));
  }

  /** The dyno, which is stored in the place of PROCID (RFC 5424 section 6.2.6), a character a byte. */
  get dyno(): string {
    const { sourceStart, msgidStart } = this.cursor;
    const sourceEnd = headerFieldEnd(this.bytes, sourceStart, msgidStart);
    return this.bytes.toString('latin1', sourceEnd + 1, msgidStart - 1);
  }

  /** The program, as Papertrail writes it and as it is shown here: `app/web.1 app[web.1]`. */
  get program(): string {
    const { source, dyno } = this;
    return `${source}/${dyno} ${source}[${dyno}]`;
  }

  /** Sender and program. */
  get origin(): string {
    this.originText ??= `${this.host} ${this.program}`;
    return this.originText;
  }

  /** Structured data as they are stored; empty when there are none. */
  get data(): string {
    const { msgidStart, messageStart } = this.cursor;
    const start = headerFieldEnd(this.bytes, msgidStart, messageStart) + 1;
    if (this.bytes[start] === DASH && this.bytes[start + 1] === SPACE) return '';
    return this.bytes.toString('utf8', start, messageStart - 1);
  }

  /** The values of structured data. */
  get dataValues(): readonly string[] {
    this.values ??= dataParameters(this.data).map(({ value }) => value);
    return this.values;
  }

  /** 0 to 23 (RFC 5424 section 6.2.1). */
  get facility(): number {
    return linePriority(this.cursor, this.bytes) >> 3;
  }

  /** 0 to 7; where the sender's says nothing, what the message's level stands for. */
  get severity(): number {
    this.severityNumber ??= this.readSeverity();
    return this.severityNumber;
  }

  private readSeverity(): number {
    const severity = linePriority(this.cursor, this.bytes) & 7;
    if (severity !== NOTICE && severity !== INFORMATIONAL) return severity;
    const level = scannedMessageLevel(this.cursor, this.bytes);
    return level === 'info' ? severity : LEVEL_SEVERITIES[level];
  }

  private readWhole(): string {
    const { hostStart, messageStart, textEnd } = this.cursor;
    if (!this.isColored) return this.bytes.toString('latin1', hostStart, textEnd);
    return this.bytes.toString('latin1', hostStart, messageStart) + this.readMessage('latin1');
  }

  private readMessage(encoding: 'latin1' | 'utf8'): string {
    const text = this.bytes.toString(encoding, this.cursor.messageStart, this.cursor.textEnd);
    return this.isColored ? stripColors(text) : text;
  }

  private get cursor(): RecordCursor {
    if (!this.line) throw new Error('A line has to be set first.');
    return this.line;
  }
}
