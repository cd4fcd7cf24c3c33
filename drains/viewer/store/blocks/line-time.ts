import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineTimeStart } from '../../../../src/logs/syslog/record.ts';

const ZERO = 0x30;
const DOT = 0x2e;
const PLUS = 0x2b;
const MINUS = 0x2d;
/** Characters up to the minute: `2012-12-10T03:00`. */
const MINUTE_LENGTH = 16;

/** Reads the times of lines, one after the other: most are of the same minute as the one before. */
export class LineTimes {
  private readonly minute = new Uint8Array(MINUTE_LENGTH);
  private minuteMs = 0;

  /** The time of the line under the cursor, milliseconds since 1970; 0 when it has none that can be read. */
  read(line: RecordCursor, bytes: Buffer): number {
    const start = lineTimeStart(line, bytes);
    const end = line.hostStart - 1;
    if (end - start < MINUTE_LENGTH + 4) return 0;
    const { minute } = this;
    // The minute's last digits differ first.
    let i = MINUTE_LENGTH - 1;
    while (i >= 0 && bytes[start + i] === minute[i]) i--;
    if (i >= 0) {
      const ms = Date.parse(`${bytes.toString('latin1', start, start + MINUTE_LENGTH)}:00Z`);
      if (Number.isNaN(ms)) return 0;
      this.minuteMs = ms;
      for (let k = 0; k < MINUTE_LENGTH; k++) minute[k] = bytes[start + k];
    }
    let at = start + MINUTE_LENGTH + 1;
    let ms = ((bytes[at] - ZERO) * 10 + bytes[at + 1] - ZERO) * 1_000;
    at += 2;
    if (bytes[at] === DOT) {
      let unit = 100;
      for (at++; at < end; at++) {
        const digit = bytes[at] - ZERO;
        if (digit < 0 || digit > 9) break;
        ms += digit * unit;
        unit = unit > 1 ? unit / 10 : 0;
      }
    }
    const sign = bytes[at];
    if (sign === PLUS || sign === MINUS) {
      const hours = (bytes[at + 1] - ZERO) * 10 + bytes[at + 2] - ZERO;
      const minutes = (bytes[at + 4] - ZERO) * 10 + bytes[at + 5] - ZERO;
      const offset = (hours * 60 + minutes) * 60_000;
      ms += sign === PLUS ? -offset : offset;
    }
    return this.minuteMs + ms;
  }
}
