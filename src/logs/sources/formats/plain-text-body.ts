import { defaultHeader, withDefaultHeader } from '../../syslog/default-header.ts';
import type { LineReceiver } from '../line-receiver.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Converts plain text to RFC 5424, line by line; empty lines are left out. Timestamp and host are stamped later. */
export class PlainTextBody {
  private readonly header: Buffer;

  /** @param dyno the dyno's name, shown in brackets; default `log`. */
  constructor(dyno: string | undefined) {
    const name = (dyno ?? '').replace(/[^\x21-\x7e]/g, '').slice(0, 128) || 'log';
    this.header = defaultHeader(name);
  }

  /** Passes each line of `text` to a receiver, which must have an authenticated source. */
  take(text: Buffer, receiver: LineReceiver): void {
    let start = 0;
    while (start < text.length) {
      let at = text.indexOf(NEWLINE, start);
      if (at === -1) at = text.length;
      const end = at > start && text[at - 1] === RETURN ? at - 1 : at;
      if (end > start) {
        const frame = withDefaultHeader(text.subarray(start, end), this.header);
        receiver.take(frame, 0, frame.length);
      }
      start = at + 1;
    }
  }
}
