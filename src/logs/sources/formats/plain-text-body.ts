import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
import { defaultHeader, withDefaultHeader } from '../../syslog/default-header.ts';
import type { LineReceiver } from '../line-receiver.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** By so much a line grows in a batch. */
const LINE_GROWTH_BYTES = RECORD_HEADER + 96;
/** Lines between two looks at the clock. */
const LINES = 16;

/** Converts plain text to RFC 5424, line by line; empty ones are lines, too. Timestamp and host are stamped later. */
export class PlainTextBody {
  private readonly text: Buffer;
  private readonly header: Buffer;
  /** About what its lines take in a batch. */
  readonly batchBytes: number;

  /**
   * @param dyno the dyno's name, shown in brackets; default `log`.
   * @throws TailraceError `too_large` for too many lines.
   */
  constructor(text: Buffer, dyno: string | undefined) {
    const name = (dyno ?? '').replace(/[^\x21-\x7e]/g, '').slice(0, 128) || 'log';
    this.text = text;
    this.header = defaultHeader(name);
    this.batchBytes = text.length + countLines(text) * LINE_GROWTH_BYTES;
  }

  /** Passes each line to a receiver, which must have an authenticated source. */
  take(receiver: LineReceiver): void {
    for (let at = 0; at < this.text.length; ) at = this.takeLine(at, receiver);
  }

  /** The same in slices, for a large body. */
  async takeInSlices(receiver: LineReceiver): Promise<void> {
    const slices = new TimeSlices();
    let lines = 0;
    for (let at = 0; at < this.text.length; ) {
      at = this.takeLine(at, receiver);
      if (++lines % LINES === 0 && slices.isOver) await slices.next();
    }
  }

  /** Takes the line at `start`; returns where the next one starts. */
  private takeLine(start: number, receiver: LineReceiver): number {
    const { text } = this;
    const found = text.indexOf(NEWLINE, start);
    const at = found === -1 ? text.length : found;
    const end = at > start && text[at - 1] === RETURN ? at - 1 : at;
    const frame = withDefaultHeader(text.subarray(start, end), this.header);
    receiver.take(frame, 0, frame.length);
    return at + 1;
  }
}

/** @throws TailraceError `too_large` for too many. */
function countLines(text: Buffer): number {
  let count = 1;
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1))
    if (++count > LINES_MAX + 1) throw tooManyLines();
  return count;
}
