/** The lines of the measurements. */

/** Digits of a line's number. */
export const DIGITS = 9;
/** Bytes of a whole RFC 5424 line, without a length in front of it. */
export const LINE_BYTES = 140;

/** An RFC 5424 line of {@link LINE_BYTES} bytes with the token in APP-NAME and {@link DIGITS} zeros for its number. */
export function syslogLine(token: string): Buffer {
  const head = `<190>1 2026-01-01T00:00:00.000000+00:00 host ${token} web.1 - - line ${'0'.repeat(DIGITS)} `;
  const text = 'GET /orders/42 took 12 ms and answered with status 200'.repeat(2);
  return Buffer.from(`${head}${text}`.slice(0, LINE_BYTES - 1).concat('\n'));
}

/** Writes a number with leading zeros. */
export function writeNumber(number: number, out: Buffer, at: number): void {
  let rest = number;
  for (let i = at + DIGITS - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    out[i] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
}
