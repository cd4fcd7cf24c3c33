import { RecordCursor } from '../../syslog/batch.ts';
import type { Shipment } from '../shipment.ts';

/** What the app's stream is told of its drains, by kind: the kinds have priorities of their own. */
export type Tiding = 'loss' | 'certificate' | 'failure' | 'recovery';

/** Writes a line of the platform (`heroku[logplex]`) into the app's stream. */
export type TellApp = (kind: Tiding, message: string) => void;

const SPEAKER = Buffer.from('heroku logplex ');

/** Nothing but lines about drains is in there. */
export function isOwnTidings({ parts }: Shipment): boolean {
  return parts.every(({ batch, start, end }) => {
    const cursor = new RecordCursor(batch.bytes, start, end);
    while (cursor.advance()) {
      const { sourceStart } = cursor;
      if (SPEAKER.compare(batch.bytes, sourceStart, sourceStart + SPEAKER.length) !== 0) return false;
    }
    return true;
  });
}
