import { RecordCursor } from '../../syslog/batch.ts';
import type { Shipment } from '../shipment.ts';

/** What an app's stream reports about its drains; each kind has a priority of its own. */
export type DrainEventKind = 'loss' | 'certificate' | 'failure' | 'recovery';

/** Writes a platform line (`heroku[logplex]`) into the app's stream. */
export type LogToApp = (kind: DrainEventKind, message: string) => void;

const DRAIN_EVENT_SOURCE = Buffer.from('heroku logplex ');

/** Does the shipment hold nothing but reports about drains? */
export function hasOnlyDrainEvents({ slices }: Shipment): boolean {
  return slices.every(({ batch, start, end }) => {
    const cursor = new RecordCursor(batch.bytes, start, end);
    while (cursor.advance()) {
      const { sourceStart, textEnd } = cursor;
      const end = Math.min(textEnd, sourceStart + DRAIN_EVENT_SOURCE.length);
      if (DRAIN_EVENT_SOURCE.compare(batch.bytes, sourceStart, end) !== 0) return false;
    }
    return true;
  });
}
