/** The small parts that count: rates, shipments under way, options of failures. */
import { describe, expect, it } from 'vitest';
import { InFlightShipments } from '../../../src/logs/drains/progress/in-flight.ts';
import { RateMeter } from '../../../src/logs/drains/progress/rate-meter.ts';
import type { Shipment } from '../../../src/logs/drains/shipment.ts';

describe('a rate', () => {
  it('is over the last ten seconds, and forgets what is older', () => {
    const rate = new RateMeter();
    for (let second = 0; second < 20; second++) rate.add(second, 1_000_000 + second * 1_000);
    expect(rate.perSecond(1_019_000)).toBe((10 + 11 + 12 + 13 + 14 + 15 + 16 + 17 + 18 + 19) / 10);
    expect(rate.perSecond(1_024_000)).toBe((15 + 16 + 17 + 18 + 19) / 10);
    expect(rate.perSecond(9_000_000)).toBe(0);
  });
});

describe('shipments under way', () => {
  const shipment = (first: number, last: number, count = last - first + 1): Shipment => ({
    first,
    last,
    count,
    storedAtMs: last * 10,
    slices: [],
    byteLength: 0,
  });

  it('are settled in order, with what was delivered, withheld and told', () => {
    const underWay = new InFlightShipments();
    underWay.add(shipment(1, 10), 0);
    underWay.add(shipment(11, 20, 4), 7);
    underWay.add(shipment(21, 30), 0);
    expect(underWay.hasNotice).toBe(true);
    expect(underWay.acknowledge(9)).toBeUndefined();
    expect(underWay.acknowledge(20)).toEqual({
      delivered: 14,
      withheld: 6,
      reportedLost: 7,
      storedAtMs: 200,
    });
    expect(underWay.hasNotice).toBe(false);
    expect(underWay.acknowledge(20)).toBeUndefined();
    expect(underWay.acknowledge(30)).toMatchObject({ delivered: 10, withheld: 0 });
    expect(underWay.isEmpty).toBe(true);
  });
});
