import { RecordCursor } from '../../syslog/batch.ts';
import type { Shipment } from '../shipment.ts';

/** What the app's stream is told of its drains, by kind: the kinds have priorities of their own. */
export type DrainEventKind = 'loss' | 'certificate' | 'failure' | 'recovery';

/** Writes a line of the platform (`heroku[logplex]`) into the app's stream. */
export type LogToApp = (kind: DrainEventKind, message: string) => void;

const DRAIN_EVENT_SOURCE = Buffer.from('heroku logplex ');

/** Nothing but lines about drains is in there. */
export function hasOnlyDrainEvents({ slices }: Shipment): boolean {
  return slices.every(({ batch, start, end }) => {
    const cursor = new RecordCursor(batch.bytes, start, end);
    while (cursor.advance()) {
      const { sourceStart } = cursor;
      if (DRAIN_EVENT_SOURCE.compare(batch.bytes, sourceStart, sourceStart + DRAIN_EVENT_SOURCE.length) !== 0)
        return false;
    }
    return true;
  });
}
