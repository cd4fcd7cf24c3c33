import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
import { defaultHeader, withDefaultHeader } from '../../syslog/default-header.ts';
import type { LineReceiver } from '../line-receiver.ts';
import { LINES_MAX, LinePacker, takeFrames, takePackedLinesInSlices, tooManyLines } from './packed-lines.ts';
import { type FrameTaker, type RecordForm, RecordKind, RecordScanner } from './wasm/wasm-records.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** By so much a line grows in a batch. */
const LINE_GROWTH_BYTES = RECORD_HEADER + 96;
/** Of a large body so much is taken at a time, and the rest of a line. */
const SLICE_BYTES = 16_384;

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
    this.frame(0, this.text.length, receiver.recordForm, {
      addFrames: (frames) => takeFrames(frames, receiver),
      addRecords: (records, count, lineBytes) => {
        receiver.takeRecords(records, count, lineBytes);
        return undefined;
      },
      add: (line) => receiver.take(line, 0, line.length),
    });
  }

  /** The same in slices, for a large body. */
  async takeInSlices(receiver: LineReceiver): Promise<void> {
    const { text } = this;
    const slices = new TimeSlices();
    for (let at = 0; at < text.length; ) {
      const found = text.indexOf(NEWLINE, at + SLICE_BYTES);
      const end = found === -1 ? text.length : found + 1;
      const packer = new LinePacker(2 * SLICE_BYTES);
      this.frame(at, end, receiver.recordForm, packer);
      await takePackedLinesInSlices(packer.pack(), receiver, slices);
      at = end;
    }
  }

  /** Gives the lines in `[start, end)` to something that takes frames, and those that are very long. */
  private frame(
    start: number,
    end: number,
    form: RecordForm | undefined,
    taker: FrameTaker & { add(line: Buffer): void },
  ): void {
    const { text, header } = this;
    const scanner = new RecordScanner(text, taker, form);
    scanner.setHeader(header.toString('latin1'));
    for (let at = start; !scanner.scan(RecordKind.text, at, end); ) {
      const found = text.indexOf(NEWLINE, scanner.position);
      const lineEnd = found === -1 || found >= end ? end : found;
      const isReturn = lineEnd > scanner.position && text[lineEnd - 1] === RETURN;
      taker.add(withDefaultHeader(text.subarray(scanner.position, isReturn ? lineEnd - 1 : lineEnd), header));
      at = lineEnd + 1;
      if (at >= end) return;
    }
  }
}

/** @throws TailraceError `too_large` for too many. */
function countLines(text: Buffer): number {
  let count = 1;
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1))
    if (++count > LINES_MAX + 1) throw tooManyLines();
  return count;
}
