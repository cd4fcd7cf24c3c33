import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryState, failureStep } from '../../../src/logs/drains/delivery-state.ts';
import { type LossNotice, OutletError } from '../../../src/logs/drains/outlet.ts';
import { CursorState, FencedError } from '../../../src/logs/drains/progress/cursor-state.ts';
import type { Shipment } from '../../../src/logs/drains/shipment.ts';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import { batchOf } from '../../support/batches.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const HTTP = { shipmentBytesMax: 1_000_000, hasFrameIds: true };
const SYSLOG = { shipmentBytesMax: 1_000_000, hasFrameIds: false };
const NOTICE: LossNotice = { drainToken: 'd.1', count: 3, message: 'Error L10', timestamp: 'T' };

/** Lines `first` to `last`, stored at ten times the number of the last one. */
function stored(first: number, last: number): StoredBatch {
  const lines = Array.from({ length: last - first + 1 }, (_, i) => `line ${first + i}`);
  return { ...batchOf(...lines), first, last, storedAtMs: last * 10 };
}

function stateAfter(after: number): { cursor: CursorState; delivery: DeliveryState } {
  const cursor = new CursorState({ after, delivered: 0, lost: 0, fence: 1 });
  const delivery = new DeliveryState(cursor);
  delivery.connect();
  return { cursor, delivery };
}

/** What a store knows of lines that aren't loaded: where pieces of its batches end. */
function pieceEndsIn(stream: readonly StoredBatch[]) {
  return (after: number, bytesMax: number, count: number): number[] => {
    const ends: number[] = [];
    let bytes = 0;
    for (const batch of stream.filter(({ first }) => first > after)) {
      if (batch.bytes.length > bytesMax) break;
      bytes += batch.bytes.length;
      if (bytes > bytesMax) bytes = batch.bytes.length;
      else ends.pop();
      ends.push(batch.last);
    }
    return ends.slice(0, count);
  };
}

describe('the next step', () => {
  it('is to load, to ship what was loaded, and to wait when there is nothing', () => {
    const { delivery } = stateAfter(5);
    expect(delivery.nextStep()).toBe('load');
    expect(delivery.onLoaded([stored(3, 8), stored(9, 9)])).toBe('ship');
    expect(delivery.nextShipment({ ...HTTP, shipmentBytesMax: 10 })).toMatchObject({ first: 6, last: 6 });
    const shipment = delivery.nextShipment({ ...HTTP, shipmentBytesMax: 80 });
    expect(shipment).toMatchObject({ first: 6, last: 8, count: 3 });
    expect(delivery.begin(shipment!, undefined, HTTP)).toBe('send');
    delivery.acknowledge(8);
    delivery.onSent(shipment!);
    expect(delivery.nextStep()).toBe('ship');
    const next = delivery.nextShipment(HTTP);
    expect(next).toMatchObject({ first: 9, last: 9 });
    delivery.onSent(next!);
    expect(delivery.nextStep()).toBe('load');
    expect(delivery.onLoaded([])).toBe('wait');
  });

  it('is to count what the stream has lost before what it holds', () => {
    const { cursor, delivery } = stateAfter(5);
    expect(delivery.onLoaded([stored(9, 10)])).toBe('count-loss');
    expect(delivery.countLoss()).toEqual({ count: 3, sinceMs: 100, untilMs: 100 });
    expect(cursor.record).toMatchObject({ after: 8, lost: 3 });
    expect(delivery.nextStep()).toBe('ship');
    expect(delivery.nextShipment(HTTP)).toMatchObject({ first: 9, last: 10 });
  });

  it('counts only what was neither accepted nor lost before, from when the store took it', () => {
    const { cursor, delivery } = stateAfter(0);
    delivery.onLoaded([stored(1, 4)]);
    const shipment = delivery.nextShipment(SYSLOG)!;
    delivery.begin(shipment, undefined, SYSLOG);
    delivery.onSent(shipment);
    expect(delivery.onLoaded([stored(9, 10)])).toBe('count-loss');
    delivery.acknowledge(4);
    expect(delivery.countLoss()).toEqual({ count: 4, sinceMs: 40, untilMs: 100 });
    expect(cursor.record).toMatchObject({ after: 8, delivered: 4, lost: 4 });
  });

  it('with nothing to send is to load, to flush, to save, to sleep', () => {
    const { cursor, delivery } = stateAfter(0);
    delivery.onLoaded([stored(1, 4)]);
    const shipment = delivery.nextShipment(SYSLOG)!;
    delivery.begin(shipment, undefined, SYSLOG);
    delivery.onSent(shipment);
    expect(delivery.idleStep(5)).toBe('load');
    expect(delivery.idleStep(4)).toBe('flush');
    delivery.acknowledge(4);
    expect(delivery.idleStep(4)).toBe('save');
    cursor.markSaved(cursor.record);
    expect(delivery.idleStep(4)).toBe('sleep');
  });

  it('after an error is to stop when another router works on the drain, to set aside what is refused, else to retry', () => {
    expect(failureStep(new FencedError())).toBe('stop');
    expect(failureStep(new OutletError('400', { isPermanent: true }))).toBe('set-aside');
    expect(failureStep(new OutletError('500'))).toBe('retry');
    expect(failureStep(new Error('the store'))).toBe('retry');
  });
});

describe('a shipment', () => {
  it('with a frame id is retried with exactly its lines, though there are more by now', () => {
    const { cursor, delivery } = stateAfter(0);
    delivery.onLoaded([stored(1, 4)]);
    const shipment = delivery.nextShipment(HTTP)!;
    expect(delivery.begin(shipment, undefined, HTTP)).toBe('send');
    expect(cursor.record.upTo).toBe(4);
    delivery.disconnect();
    delivery.connect();
    expect(delivery.nextStep()).toBe('load');
    delivery.onLoaded([stored(1, 4), stored(5, 9)]);
    expect(delivery.nextShipment(HTTP)).toMatchObject({ first: 1, last: 4 });
    delivery.begin(shipment, undefined, HTTP);
    delivery.acknowledge(4);
    delivery.onSent(shipment);
    expect(delivery.nextStep()).toBe('ship');
    expect(delivery.nextShipment(HTTP)).toMatchObject({ first: 5, last: 9 });
  });

  it('of which filters leave nothing isn’t sent, unless there is a loss to report or what was sent before is unconfirmed', () => {
    const { cursor, delivery } = stateAfter(0);
    const nothing = { first: 1, last: 4, count: 0, storedAtMs: 40, slices: [], byteLength: 0 };
    expect(delivery.begin(nothing, NOTICE, HTTP)).toBe('send');
    delivery.disconnect();
    expect(delivery.begin(nothing, undefined, SYSLOG)).toBe('withheld');
    delivery.acknowledge(4);
    expect(cursor.record).toMatchObject({ after: 4, delivered: 0, withheld: 4 });
    delivery.begin({ ...nothing, first: 5, last: 6, count: 2 }, undefined, SYSLOG);
    expect(delivery.begin({ ...nothing, first: 7, last: 8 }, undefined, SYSLOG)).toBe('send');
    expect(delivery.begin({ ...nothing, first: 9, last: 9 }, undefined, HTTP)).toBe('withheld');
  });

  it('carries a notice of a loss when none is in flight', () => {
    const { delivery } = stateAfter(0);
    delivery.onLoaded([stored(1, 4)]);
    expect(delivery.canSendNotice).toBe(true);
    delivery.begin(delivery.nextShipment(SYSLOG)!, NOTICE, SYSLOG);
    expect(delivery.canSendNotice).toBe(false);
    expect(delivery.acknowledge(4)).toMatchObject({ delivered: 4, reportedLost: 3 });
    expect(delivery.canSendNotice).toBe(true);
  });

  it('that is refused in part counts as lost in part', () => {
    const { cursor, delivery } = stateAfter(0);
    const shipment = { first: 1, last: 10, count: 8, storedAtMs: 100, slices: [], byteLength: 0 };
    delivery.begin(shipment, undefined, HTTP);
    delivery.onRefused(shipment, 3);
    expect(cursor.record).toMatchObject({ after: 10, delivered: 5, lost: 3, withheld: 2, upTo: undefined });
    expect(delivery.acknowledge(10)).toBeUndefined();
  });
});

describe('a request that is too large', () => {
  const refuseAbove = (delivery: DeliveryState, bytesMax: number): Shipment => {
    for (;;) {
      if (delivery.nextStep() === 'load') throw new Error('nothing to send');
      const shipment = delivery.nextShipment(HTTP)!;
      delivery.begin(shipment, undefined, HTTP);
      if (shipment.byteLength <= bytesMax || shipment.count === 1) return shipment;
      delivery.onTooLarge(shipment);
    }
  };
  const accept = (delivery: DeliveryState, shipment: Shipment): void => {
    delivery.acknowledge(shipment.last);
    delivery.onSent(shipment);
  };

  it('is sent in halves until it fits; the size is remembered, also by the next router', () => {
    const { cursor, delivery } = stateAfter(0);
    delivery.onLoaded([stored(1, 100)]);
    const first = refuseAbove(delivery, 300);
    expect(first.first).toBe(1);
    expect(first.byteLength).toBeLessThanOrEqual(300);
    expect(first.byteLength).toBeGreaterThan(100);
    accept(delivery, first);
    const restored = new CursorState({ after: 0, delivered: 0, lost: 0, fence: 2 });
    restored.restore(cursor.record, 2, undefined);
    const next = new DeliveryState(restored);
    next.connect();
    next.onLoaded([stored(1, 100)]);
    expect(next.nextShipment(HTTP)).toMatchObject({ first: first.last + 1 });
    expect(next.nextShipment(HTTP)!.byteLength).toBeLessThanOrEqual(300);
    expect(restored.record).toMatchObject({ delivered: first.count, lost: 0 });
  });

  it('loses no line on its way down, and grows again when the destination takes more', () => {
    const { cursor, delivery } = stateAfter(0);
    let newest = 0;
    const sizes: number[] = [];
    for (let i = 0; i < 300; i++) {
      delivery.onLoaded([stored(newest + 1, newest + 60)]);
      newest += 60;
      while (delivery.sentUpTo < newest) {
        const shipment = refuseAbove(delivery, i < 20 ? 200 : 1_000_000);
        expect(shipment.first).toBe(delivery.sentUpTo + 1);
        sizes.push(shipment.count);
        accept(delivery, shipment);
      }
    }
    expect(cursor.record).toMatchObject({ after: newest, delivered: newest, lost: 0 });
    expect(Math.max(...sizes.slice(0, 200))).toBeLessThan(20);
    expect(sizes.at(-1)).toBe(60);
  });
});

/** What happens in a simulated stream and at a simulated destination. */
const EVENT = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('append' as const), n: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('trim' as const), n: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const), n: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), n: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('too-large' as const), n: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('confirm' as const), n: fc.constant(0) }) },
);
type SimulatedEvent = typeof EVENT extends fc.Arbitrary<infer T> ? T : never;

const EVENTS = fc.array(EVENT, { minLength: 10, maxLength: 100, size: 'max' });

/** Runs a worker's steps over events; returns what the destination got, and what was counted. */
function simulate(events: readonly SimulatedEvent[], hasFrameIds: boolean) {
  const outlet = { shipmentBytesMax: 120, hasFrameIds };
  const { cursor, delivery } = stateAfter(0);
  let stream: StoredBatch[] = [];
  let newest = 0;
  const received: number[] = [];
  const lost = new Set<number>();
  const extents = new Map<number, number>();

  /** One turn of the worker's loop. */
  const turn = (outcome: 'send' | 'fail' | 'refuse' | 'too-large'): boolean => {
    let step = delivery.nextStep();
    if (step === 'load') step = delivery.onLoaded(stream.filter(({ last }) => last > delivery.sentUpTo));
    if (step === 'wait') return false;
    if (step === 'count-loss') {
      // The outlet doesn't know of everything whether it has arrived.
      delivery.acknowledge(delivery.sentUpTo - 3);
      const from = cursor.record.after;
      const span = delivery.countLoss();
      for (let i = 1; i <= (span?.count ?? 0); i++) lost.add(from + i);
    }
    const shipment = delivery.nextShipment(outlet, newest, pieceEndsIn(stream))!;
    delivery.begin(shipment, undefined, outlet);
    if (hasFrameIds) {
      const before = extents.get(shipment.first);
      if (before !== undefined) expect(shipment.last).toBe(before);
      extents.set(shipment.first, shipment.last);
    }
    if (outcome === 'fail') {
      delivery.disconnect();
      delivery.connect();
      return true;
    }
    if (outcome === 'too-large' && hasFrameIds && shipment.count > 1) {
      delivery.onTooLarge(shipment);
      extents.delete(shipment.first);
      return true;
    }
    if (outcome === 'refuse' && hasFrameIds) {
      delivery.onRefused(shipment, shipment.count);
      for (let line = shipment.first; line <= shipment.last; line++) lost.add(line);
    } else {
      for (let line = shipment.first; line <= shipment.last; line++) received.push(line);
      if (hasFrameIds) delivery.acknowledge(shipment.last);
    }
    delivery.onSent(shipment);
    return true;
  };

  for (const { kind, n } of events) {
    if (kind === 'append') {
      stream.push(stored(newest + 1, newest + n));
      newest += n;
    } else if (kind === 'trim') stream = stream.slice(Math.min(n, Math.max(0, stream.length - 1)));
    else if (kind === 'confirm') delivery.acknowledge(delivery.sentUpTo);
    else turn(kind);
  }
  while (turn('send'));
  delivery.acknowledge(delivery.sentUpTo);
  return { record: cursor.record, received, lost, newest };
}

describe('whatever happens', () => {
  it('over HTTP every line is accepted once, in order, or counted as lost, and a retry has the same lines', () => {
    fc.assert(
      fc.property(EVENTS, (events) => {
        const { record, received, lost, newest } = simulate(events, true);
        expect(record.after).toBe(newest);
        expect(received).toEqual([...received].sort((a, b) => a - b));
        expect(new Set([...received, ...lost]).size).toBe(received.length + lost.size);
        expect(received.length + lost.size).toBe(newest);
        expect(record).toMatchObject({ delivered: received.length, lost: lost.size });
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  it('over syslog every line arrives at least once, in order apart from retries, or is counted as lost', () => {
    fc.assert(
      fc.property(EVENTS, (events) => {
        const { record, received, lost, newest } = simulate(events, false);
        expect(record.after).toBe(newest);
        const seen = new Set(received);
        expect([...seen]).toEqual([...seen].sort((a, b) => a - b));
        expect(new Set([...seen, ...lost]).size).toBe(newest);
        expect(record.delivered + record.lost).toBe(newest);
        expect(record.lost).toBe(lost.size);
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  it('over HTTP a router that takes over sends what was sent before in the same requests, whenever the cursor was written', () => {
    const append = fc.integer({ min: 1, max: 12 });
    const event = fc.oneof(
      { weight: 3, arbitrary: append },
      { weight: 8, arbitrary: fc.constantFrom('send' as const, 'send' as const, 'written' as const) },
      { weight: 2, arbitrary: fc.constantFrom('crash' as const, 'crash after sending' as const) },
    );
    fc.assert(
      fc.property(fc.array(event, { minLength: 10, maxLength: 80, size: 'max' }), (events) => {
        const outlet = { shipmentBytesMax: 120, hasFrameIds: true };
        const stream: StoredBatch[] = [];
        let newest = 0;
        let { cursor, delivery } = stateAfter(0);
        let written = cursor.record;
        let writes = 0;
        const accepted: string[] = [];
        const save = (): void => {
          cursor.markSaved(cursor.record);
          written = cursor.record;
        };
        const takeOver = (): void => {
          ({ cursor, delivery } = stateAfter(0));
          cursor.restore(written, 1, undefined);
          delivery.connect();
        };
        const send = (isAnswered: boolean): boolean => {
          let step = delivery.nextStep();
          // As much as is read at a time.
          const after = stream.filter(({ last }) => last > delivery.sentUpTo).slice(0, 12);
          if (step === 'load') step = delivery.onLoaded(after);
          if (step === 'wait') return false;
          const shipment = delivery.nextShipment(outlet, newest, pieceEndsIn(stream))!;
          delivery.begin(shipment, undefined, outlet);
          if (!cursor.isNextWritten) {
            save();
            writes++;
          }
          accepted.push(`${shipment.first}-${shipment.last}`);
          if (isAnswered) {
            delivery.acknowledge(shipment.last);
            delivery.onSent(shipment);
          }
          return true;
        };
        for (const one of events)
          if (typeof one === 'number') {
            stream.push(stored(newest + 1, newest + one));
            newest += one;
          } else if (one === 'written') save();
          else if (one === 'send') send(true);
          else {
            if (one === 'crash after sending') send(false);
            takeOver();
          }
        while (send(true));
        // Each request is always the same, and together they are all lines, once.
        const requests = [...new Set(accepted)].map((request) => request.split('-').map(Number));
        requests.sort(([a], [b]) => a - b);
        let last = 0;
        for (const [from, to] of requests) {
          expect(from).toBe(last + 1);
          last = to;
        }
        expect(last).toBe(newest);
        expect(writes).toBeLessThanOrEqual(accepted.length);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('writes the cursor once for the requests of several loads, and for what comes behind a gap anew', () => {
    const stream = Array.from({ length: 64 }, (_, i) => stored(i * 5 + 1, i * 5 + 5));
    // Lost meanwhile, from a request that was planned.
    const left = stream.filter(({ first }) => first !== 236);
    const { cursor, delivery } = stateAfter(0);
    const outlet = { shipmentBytesMax: 300, hasFrameIds: true };
    const writes: number[] = [];
    const sent: Shipment[] = [];
    for (let step = delivery.nextStep(); step !== 'wait'; step = delivery.nextStep()) {
      if (step === 'load')
        step = delivery.onLoaded(left.filter(({ last }) => last > delivery.sentUpTo).slice(0, 16));
      if (step === 'wait') break;
      if (step === 'count-loss') delivery.countLoss();
      const shipment = delivery.nextShipment(outlet, 320, pieceEndsIn(stream))!;
      delivery.begin(shipment, undefined, outlet);
      if (!cursor.isNextWritten) {
        cursor.markSaved(cursor.record);
        writes.push(shipment.first);
      }
      sent.push(shipment);
      delivery.acknowledge(shipment.last);
      delivery.onSent(shipment);
    }
    expect(cursor.record).toMatchObject({ after: 320, delivered: 315, lost: 5 });
    expect(Math.max(...sent.map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(300);
    expect(sent.length).toBeGreaterThan(16);
    expect(writes).toEqual([1, 231, 241]);
  });

  it.each([
    { has: 'nothing else: more may come to the last one', newest: 80, isLastPlanned: false },
    { has: 'more', newest: 90, isLastPlanned: true },
  ])('writes the cursor once for the requests of what is loaded, when the stream has $has', (stream) => {
    const { cursor, delivery } = stateAfter(0);
    delivery.onLoaded(Array.from({ length: 16 }, (_, i) => stored(i * 5 + 1, i * 5 + 5)));
    const outlet = { shipmentBytesMax: 300, hasFrameIds: true };
    const ends: number[] = [];
    const writes: number[] = [];
    while (delivery.nextStep() === 'ship') {
      const shipment = delivery.nextShipment(outlet, stream.newest)!;
      delivery.begin(shipment, undefined, outlet);
      if (!cursor.isNextWritten) {
        cursor.markSaved(cursor.record);
        writes.push(shipment.last);
      }
      ends.push(shipment.last);
      delivery.acknowledge(shipment.last);
      delivery.onSent(shipment);
    }
    expect(ends.at(-1)).toBe(80);
    expect(ends.length).toBeGreaterThan(4);
    expect(writes).toEqual(stream.isLastPlanned ? [ends[0]] : [ends[0], ends.at(-1)]);
    expect(cursor.record).toMatchObject({ after: 80, upTo: undefined, plan: undefined });
  });
});
