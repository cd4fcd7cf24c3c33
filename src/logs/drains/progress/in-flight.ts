import type { Sequence } from '../../store/contract.ts';
import type { Shipment } from '../shipment.ts';

/** What was settled when shipments were acknowledged. */
export interface Acknowledged {
  /** The last line of the last shipment that was acknowledged as a whole. */
  readonly last: Sequence;
  /** Lines that the destination accepted, and lines that the drain's filters left out. */
  readonly delivered: number;
  readonly withheld: number;
  /** When the newest of them was stored, milliseconds since 1970. */
  readonly storedAtMs: number;
  /** Lines that a notice which went with them reported as lost. */
  readonly reportedLost: number;
}

/** Shipments that were sent and aren't acknowledged, oldest first. */
export class InFlightShipments {
  private readonly shipments: Acknowledged[] = [];

  /** All that was sent is acknowledged. */
  get isEmpty(): boolean {
    return this.shipments.length === 0;
  }

  /** A notice is in flight. */
  get hasNotice(): boolean {
    return this.shipments.some(({ reportedLost }) => reportedLost > 0);
  }

  /** @param reportedLost lines that a notice in front of the shipment reports as lost. */
  add(shipment: Shipment, reportedLost: number): void {
    const { first, last, count, storedAtMs } = shipment;
    this.shipments.push({
      last,
      delivered: count,
      withheld: last - first + 1 - count,
      storedAtMs,
      reportedLost,
    });
  }

  /** Removes the shipments that end at or before `upTo`; undefined when none does. */
  acknowledge(upTo: Sequence): Acknowledged | undefined {
    let sum: Acknowledged | undefined;
    while (this.shipments.length > 0 && this.shipments[0].last <= upTo) {
      const { last, delivered, withheld, storedAtMs, reportedLost } = this.shipments[0];
      this.shipments.shift();
      sum = {
        last,
        delivered: delivered + (sum?.delivered ?? 0),
        withheld: withheld + (sum?.withheld ?? 0),
        reportedLost: reportedLost + (sum?.reportedLost ?? 0),
        storedAtMs,
      };
    }
    return sum;
  }

  /** Forgets them: the connection they were sent on is gone, and what isn't settled is sent again. */
  clear(): void {
    this.shipments.length = 0;
  }
}
