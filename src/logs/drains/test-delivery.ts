/** Tests a drain: sends one line on a connection of its own, and measures each phase. */
import { BatchBuilder } from '../syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../syslog/header.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { DrainRecord } from './options/drain-record.ts';
import { OutletError } from './outlet.ts';
import { buildShipment, type Shipment } from './shipment.ts';
import type { DeliveryPhase } from './sinks/dialer.ts';
import type { OutletFactory } from './sinks/outlet-factory.ts';

export interface DrainTestResult {
  readonly accepted: boolean;
  /** The destination's response, or the error. */
  readonly answer: string;
  readonly phases: readonly { readonly phase: DeliveryPhase; readonly ms: number }[];
  readonly totalMs: number;
}

/** Sends a test line to a drain, past its cursor and its filters; a failure is a result, too. */
export async function testDrain(drain: DrainRecord, outlets: OutletFactory): Promise<DrainTestResult> {
  const phases: { phase: DeliveryPhase; ms: number }[] = [];
  const outlet = outlets.create(drain, (phase, ms) => phases.push({ phase, ms: Math.round(ms * 100) / 100 }));
  const beganMs = performance.now();
  const result = (accepted: boolean, answer: string, totalMs: number): DrainTestResult => ({
    accepted,
    answer,
    phases,
    totalMs: Math.round(totalMs * 100) / 100,
  });
  try {
    await outlet.send(testShipment(drain), undefined);
    const totalMs = performance.now() - beganMs;
    await outlet.flush(); // a protocol without responses: does the connection stay open?
    return result(true, outlet.lastAnswer, totalMs);
  } catch (error) {
    if (!(error instanceof OutletError)) throw error;
    return result(false, error.message, performance.now() - beganMs);
  } finally {
    await outlet.close();
  }
}

function testShipment(drain: DrainRecord): Shipment {
  const now = Date.now();
  const text = Buffer.from(
    `<190>1 ${formatTimestamp(now)} tailrace heroku logplex - - This is a test line for drain '${drain.token}': it can be ignored.`,
  );
  const header = new SyslogHeader();
  scanHeader(text, 0, text.length, header);
  const builder = new BatchBuilder();
  builder.add(text, 0, text.length, header, Buffer.from('heroku'), Buffer.from('tailrace'));
  const batch = builder.takeBatch();
  // Its frame id must not be one that the destination has seen: the time takes the place of a position.
  const shipment = batch && buildShipment([{ ...batch, first: now, last: now, storedAtMs: now }], now - 1, 1);
  if (!shipment) throw new Error('the test line is no line');
  return shipment;
}
