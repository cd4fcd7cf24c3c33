/** local7.info, what Heroku gives to everything a dyno writes. */
const PRIORITY = 190;

/** An RFC 5424 header for a line that came without one; time and host are stamped by the router. */
export function defaultHeader(dyno: string): Buffer {
  return Buffer.from(`<${PRIORITY}>1 - - app ${dyno} - - `);
}

const UNKNOWN_DYNO_HEADER = defaultHeader('-');

/** The message with a header in front in which only the priority, and maybe the dyno, are set. */
export function withDefaultHeader(message: Uint8Array, header: Buffer = UNKNOWN_DYNO_HEADER): Buffer {
  return Buffer.concat([header, message]);
}
