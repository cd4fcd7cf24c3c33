/**
 * What every sink has to do, whatever its protocol: run this suite against each implementation of `src/logs/drains/outlet.ts`,
 * unchanged, with a real destination.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linesMemory } from '../../../../src/logs/drains/encoders/wasm/wasm-lines.ts';
import type { DrainOptions } from '../../../../src/logs/drains/options/drain-options.ts';
import type { DrainRecord } from '../../../../src/logs/drains/options/drain-record.ts';
import { TargetPolicy } from '../../../../src/logs/drains/options/target-policy.ts';
import { type LossNotice, type Outlet, OutletError } from '../../../../src/logs/drains/outlet.ts';
import { buildShipment, type Shipment } from '../../../../src/logs/drains/shipment.ts';
import { OutletFactory } from '../../../../src/logs/drains/sinks/outlet-factory.ts';
import { isUnreachableError } from '../../../../src/logs/drains/sinks/reachability.ts';
import type { StoredBatch } from '../../../../src/logs/store/contract.ts';
import { BatchBuilder } from '../../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../../src/logs/syslog/header.ts';
import { codecMemory } from '../../../../src/logs/syslog/wasm/wasm-codec.ts';
import { newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';

/** `reset` closes the connection when a shipment has arrived; `refuse` is for protocols whose destinations can. */
export type DestinationMode = 'accept' | 'reset' | 'refuse';

/** A real destination of one protocol, on a port of its own. */
export interface SinkDestination {
  readonly url: string;
  readonly options?: DrainOptions;
  mode: DestinationMode;
  listen(): Promise<unknown>;
  close(): Promise<void>;
  /** Messages of everything that was accepted, in the order of arrival. */
  messages(): string[];
  /** Frame ids of all requests, accepted or not; empty for protocols without. */
  frameIds(): string[];
  connectionCount(): Promise<number>;
}

export interface SinkTraits {
  /** The destination can refuse lines for good. */
  readonly canRefuse: boolean;
  readonly hasFrameIds: boolean;
  /** A message of several lines arrives as several, as Heroku's HTTPS drains have it. */
  readonly splitsLines: boolean;
}

const NOTICE: LossNotice = {
  drainToken: 'd.test',
  count: 3,
  message: 'Error L10 (output buffer overflow): 3 messages dropped',
  timestamp: '2012-12-10T03:00:48.123456+00:00',
};

function numbered(first: number, last: number, padding = ''): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => `line ${first + i}${padding}`);
}

/** A shipment of consecutive lines. */
function shipmentOf(first: number, messages: readonly string[]): Shipment {
  const builder = new BatchBuilder(1_048_576);
  const header = new SyslogHeader();
  for (const message of messages) {
    const text = Buffer.from(`<190>1 2012-12-10T03:00:48.123456+00:00 host t web.1 - - ${message}`);
    if (!scanHeader(text, 0, text.length, header)) throw new Error('no line');
    builder.add(text, 0, text.length, header, Buffer.from('app'), Buffer.from('host'));
  }
  const last = first + messages.length - 1;
  const batch: StoredBatch = { ...builder.takeBatch()!, first, last, storedAtMs: 0 };
  return buildShipment([batch], first - 1, Number.POSITIVE_INFINITY)!;
}

/** Slots for bodies in the memory of what encodes lines. */
function freeBodies(): number {
  return [codecMemory, linesMemory()]
    .map(({ bodies }) => {
      const slots: Buffer[] = [];
      for (let slot = bodies.acquire(0); slot; slot = bodies.acquire(0)) slots.push(slot);
      for (const slot of slots) bodies.release(slot);
      return slots.length;
    })
    .reduce((sum, count) => sum + count);
}

const ALL_BODIES = freeBodies();

export function sinkSuite(
  name: string,
  { canRefuse, hasFrameIds, splitsLines }: SinkTraits,
  createDestination: () => Promise<SinkDestination>,
): void {
  describe(`the sink contract: ${name}`, () => {
    const outlets = new OutletFactory(new TargetPolicy(true), 'test');
    const open = new Set<Outlet>();
    let destination: SinkDestination;
    let drain: DrainRecord;

    beforeEach(async () => {
      destination = await createDestination();
      const now = new Date().toISOString();
      drain = {
        id: randomUUID(),
        token: `d.${randomUUID()}`,
        app: newAppId(),
        url: destination.url,
        options: destination.options,
        createdAt: now,
        updatedAt: now,
        after: 0,
      };
    });
    afterEach(async () => {
      for (const outlet of open) await outlet.close();
      open.clear();
      await destination.close();
      // However a shipment ended, the memory of what was sent is free again.
      await until('the memory of bodies', () => freeBodies() === ALL_BODIES);
    });

    const connect = (): Outlet => {
      const outlet = outlets.create(drain);
      open.add(outlet);
      return outlet;
    };
    const close = async (outlet: Outlet): Promise<void> => {
      open.delete(outlet);
      await outlet.close();
    };
    /** Sends, and waits until it is acknowledged or fails. */
    const deliver = async (outlet: Outlet, shipment: Shipment, notice?: LossNotice): Promise<number> => {
      await outlet.send(shipment, notice);
      return outlet.flush();
    };
    const failureOf = (attempt: Promise<unknown>): Promise<unknown> =>
      attempt.then(
        () => undefined,
        (error: unknown) => error,
      );

    it('delivers shipment after shipment in order, more than sockets buffer, and acknowledges all of them', async () => {
      const outlet = connect();
      expect(outlet.hasFrameIds).toBe(hasFrameIds);
      const padding = ` ${'x'.repeat(5_000)}`;
      let acknowledged = 0;
      for (let first = 1; first <= 2_000; first += 40) {
        const upTo = await outlet.send(shipmentOf(first, numbered(first, first + 39, padding)), undefined);
        expect(upTo).toBeGreaterThanOrEqual(acknowledged);
        expect(upTo).toBeLessThan(first + 40);
        acknowledged = upTo;
      }
      expect(await outlet.flush()).toBe(2_000);
      expect(destination.messages()).toEqual(numbered(1, 2_000, padding));
    });

    it('keeps every byte of a message, and its lines apart', async () => {
      const messages = ['Grüße, 世界', 'two\nlines', '\t\u0001\u001b[31mred', '', '12 <1>1 - - - - - -'];
      expect(await deliver(connect(), shipmentOf(1, messages))).toBe(messages.length);
      expect(destination.messages()).toEqual(
        splitsLines ? messages.flatMap((message) => message.split('\n')) : messages,
      );
    });

    it('fails when the connection breaks before the lines are acknowledged, and delivers them again', async () => {
      destination.mode = 'reset';
      const shipment = shipmentOf(1, numbered(1, 5));
      const first = connect();
      const error = await failureOf(deliver(first, shipment));
      expect(error).toBeInstanceOf(OutletError);
      expect(error).toMatchObject({ isPermanent: false });
      await close(first);

      destination.mode = 'accept';
      const second = connect();
      expect(await deliver(second, shipment)).toBe(5);
      expect(destination.messages().slice(-5)).toEqual(numbered(1, 5));
      if (!hasFrameIds) return;
      expect(await deliver(second, shipmentOf(6, numbered(6, 7)))).toBe(7);
      const [failed, retried, next] = destination.frameIds();
      expect(retried).toBe(failed);
      expect(next).not.toBe(retried);
    });

    if (canRefuse)
      it('is told when lines are refused for good, and delivers the next ones', async () => {
        destination.mode = 'refuse';
        const outlet = connect();
        const error = await failureOf(deliver(outlet, shipmentOf(1, numbered(1, 5))));
        expect(error).toBeInstanceOf(OutletError);
        expect(error).toMatchObject({ isPermanent: true, refusedLines: undefined });
        destination.mode = 'accept';
        expect(await deliver(outlet, shipmentOf(6, numbered(6, 7)))).toBe(7);
        expect(destination.messages()).toEqual(numbered(6, 7));
      });

    it('sends the notice of a loss before the lines, also when there are none', async () => {
      const outlet = connect();
      await outlet.send(shipmentOf(1, numbered(1, 2)), NOTICE);
      const withheld = { ...shipmentOf(3, ['x']), slices: [], count: 0, byteLength: 0 };
      expect(await deliver(outlet, withheld, NOTICE)).toBe(3);
      expect(destination.messages()).toEqual([NOTICE.message, ...numbered(1, 2), NOTICE.message]);
    });

    if (!hasFrameIds)
      it('sends nothing of a shipment of which filters have left nothing, and acknowledges it', async () => {
        const outlet = connect();
        for (let first = 1; first <= 10; first++)
          await outlet.send({ ...shipmentOf(first, ['x']), slices: [], count: 0, byteLength: 0 }, undefined);
        expect(await deliver(outlet, shipmentOf(11, ['hello']))).toBe(11);
        expect(destination.messages()).toEqual(['hello']);
      });

    it('has nothing to wait for when nothing was sent, and nothing to acknowledge', async () => {
      expect(await connect().flush()).toBe(0);
      expect(destination.messages()).toEqual([]);
    });

    it('closes its connection', async () => {
      const outlet = connect();
      await deliver(outlet, shipmentOf(1, numbered(1, 2)));
      expect(await destination.connectionCount()).toBe(1);
      await close(outlet);
      await until('the connection to be closed', async () => (await destination.connectionCount()) === 0);
    });

    it('reports an unreachable destination, and when it is reachable again', async () => {
      await destination.close();
      const outlet = connect();
      const error = await failureOf(deliver(outlet, shipmentOf(1, ['hello'])));
      expect(isUnreachableError(error)).toBe(true);
      await close(outlet);
      const reachable = new Promise<void>((resolve) => outlets.onReachable(drain, resolve));
      await destination.listen();
      await reachable;
      expect(await deliver(connect(), shipmentOf(1, ['hello']))).toBe(1);
      expect(destination.messages()).toEqual(['hello']);
    });
  });
}
