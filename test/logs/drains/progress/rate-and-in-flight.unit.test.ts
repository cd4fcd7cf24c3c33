import { describe, expect, it } from 'vitest';
import { InFlightShipments } from '../../../../src/logs/drains/progress/in-flight.ts';
import { RateMeter } from '../../../../src/logs/drains/progress/rate-meter.ts';
import type { Shipment } from '../../../../src/logs/drains/shipment.ts';

describe('a rate meter', () => {
  it('averages over the last ten seconds', () => {
    const rate = new RateMeter();
    for (let second = 0; second < 20; second++) rate.add(second, 1_000_000 + second * 1_000);
    expect(rate.perSecond(1_019_000)).toBe((10 + 11 + 12 + 13 + 14 + 15 + 16 + 17 + 18 + 19) / 10);
    expect(rate.perSecond(1_024_000)).toBe((15 + 16 + 17 + 18 + 19) / 10);
    expect(rate.perSecond(9_000_000)).toBe(0);
  });
});

describe('shipments in flight', () => {
  const shipment = (first: number, last: number, count = last - first + 1): Shipment => ({
    first,
    last,
    count,
    storedAtMs: last * 10,
    slices: [],
    byteLength: 0,
  });

  it('are acknowledged in order, with what was delivered, withheld and reported as lost', () => {
    const inFlight = new InFlightShipments();
    inFlight.add(shipment(1, 10), 0);
    inFlight.add(shipment(11, 20, 4), 7);
    inFlight.add(shipment(21, 30), 0);
    expect(inFlight.hasNotice).toBe(true);
    expect(inFlight.acknowledge(9)).toBeUndefined();
    expect(inFlight.acknowledge(20)).toEqual({
      last: 20,
      delivered: 14,
      withheld: 6,
      reportedLost: 7,
      storedAtMs: 200,
    });
    expect(inFlight.hasNotice).toBe(false);
    expect(inFlight.acknowledge(20)).toBeUndefined();
    expect(inFlight.acknowledge(30)).toMatchObject({ delivered: 10, withheld: 0 });
    expect(inFlight.isEmpty).toBe(true);
  });
});
