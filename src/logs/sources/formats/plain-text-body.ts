import { defaultHeader, withDefaultHeader } from '../../syslog/default-header.ts';
import type { LineReceiver } from '../line-receiver.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Makes RFC 5424 lines of plain text, one a line; empty lines are left out. Time and host are stamped later. */
export class PlainTextBody {
  private readonly header: Buffer;

  /** @param dyno who speaks, as shown in the brackets; `log` when it isn't said. */
  constructor(dyno: string | undefined) {
    const name = (dyno ?? '').replace(/[^\x21-\x7e]/g, '').slice(0, 128) || 'log';
    this.header = defaultHeader(name);
  }

  /** Hands over each line of `text`. The intake must know whose lines they are. */
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
