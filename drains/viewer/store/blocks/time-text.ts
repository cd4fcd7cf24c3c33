/**
 * Times as they are written, `2012-12-10T03:00:48.123456`, as one number: microseconds since 1970 as if they were of UTC. What is behind (a zone)
 * isn't part of it.
 */

const ZERO = 0x30;
const DOT = 0x2e;
const COLON = 0x3a;
const MINUTE_LENGTH = 16;
const SECOND_LENGTH = 19;
const MINUTE_US = 60_000_000;
const SECOND_US = 1_000_000;

/** Reads and writes times one after the other: the minute is mostly the same as before. */
export class TimeText {
  /** Of the fraction: 0, 3 or 6. */
  digits: number;
  /** What was read. */
  value = 0;
  private readonly minute = Buffer.alloc(MINUTE_LENGTH);
  private minuteUs = Number.NaN;

  constructor(digits = 0) {
    this.digits = digits;
  }

  /** Characters of a time. */
  get length(): number {
    return this.digits === 0 ? SECOND_LENGTH : SECOND_LENGTH + 1 + this.digits;
  }

  /** Reads the time at `start`; false when what is there wouldn't be written the same. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SECOND_LENGTH) return false;
    const { minute } = this;
    let i = MINUTE_LENGTH - 1;
    while (i >= 0 && bytes[start + i] === minute[i]) i--;
    if ((i >= 0 || Number.isNaN(this.minuteUs)) && !this.readMinute(bytes, start)) return false;
    let at = start + MINUTE_LENGTH;
    const tens = bytes[at + 1] - ZERO;
    const ones = bytes[at + 2] - ZERO;
    if (bytes[at] !== COLON || tens < 0 || tens > 5 || ones < 0 || ones > 9) return false;
    let us = (tens * 10 + ones) * SECOND_US;
    at += 3;
    let digits = 0;
    if (bytes[at] === DOT) {
      let fraction = 0;
      for (at++; at < end && digits <= 6; at++, digits++) {
        const digit = bytes[at] - ZERO;
        if (digit < 0 || digit > 9) break;
        fraction = fraction * 10 + digit;
      }
      if (digits !== 3 && digits !== 6) return false;
      us += digits === 6 ? fraction : fraction * 1_000;
    }
    this.digits = digits;
    this.value = this.minuteUs + us;
    return true;
  }

  /** Writes a time at `at`. */
  write(value: number, bytes: Uint8Array, at: number): void {
    const minuteUs = Math.floor(value / MINUTE_US) * MINUTE_US;
    if (minuteUs !== this.minuteUs) {
      this.minute.write(new Date(minuteUs / 1_000).toISOString().slice(0, MINUTE_LENGTH), 'latin1');
      bytes.set(this.minute, at);
      this.minuteUs = minuteUs;
    }
    const us = value - minuteUs;
    const second = Math.floor(us / SECOND_US);
    let i = at + MINUTE_LENGTH;
    bytes[i++] = COLON;
    bytes[i++] = ZERO + ((second / 10) | 0);
    bytes[i++] = ZERO + (second % 10);
    const { digits } = this;
    if (digits === 0) return;
    bytes[i] = DOT;
    let fraction = us - second * SECOND_US;
    if (digits === 3) fraction = (fraction / 1_000) | 0;
    for (let k = i + digits; k > i; k--) {
      const tenth = (fraction / 10) | 0;
      bytes[k] = ZERO + fraction - tenth * 10;
      fraction = tenth;
    }
  }

  private readMinute(bytes: Uint8Array, start: number): boolean {
    this.minuteUs = Number.NaN;
    for (let k = 0; k < MINUTE_LENGTH; k++) this.minute[k] = bytes[start + k];
    const text = this.minute.toString('latin1');
    if (!/^[12]\d{3}-\d\d-\d\dT\d\d:\d\d$/.test(text)) return false;
    const ms = Date.parse(`${text}:00Z`);
    if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, MINUTE_LENGTH) !== text) return false;
    this.minuteUs = ms * 1_000;
    return true;
  }
}
