/**
 * What a drain's worker does next, decided by positions and counts alone: no socket, timer or store. The worker
 * (drain-worker.ts) executes the steps and reports what came of them.
 *
 * Three positions in the stream: up to `cursor.record.after` lines are settled (accepted, withheld or lost), up to `sentUpTo` they were
 * given to the outlet, up to `newest` there are lines.
 */
import type { Sequence, StoredBatch } from '../store/contract.ts';
import { type LossNotice, OutletError } from './outlet.ts';
import type { LossSpan } from './progress/cursor-record.ts';
import { type CursorState, FencedError } from './progress/cursor-state.ts';
import { type Acknowledged, InFlightShipments } from './progress/in-flight.ts';
import { buildShipment, type Shipment } from './shipment.ts';

/**
 * Where the next lines come from: `load` batches from the stream; `count-loss` of lines that the stream doesn't hold any more,
 * before those that it does; `ship` what is loaded; `wait`, there are none.
 */
export type DeliveryStep = 'load' | 'count-loss' | 'ship' | 'wait';

/** With nothing to send: there are lines by now (`load`); `flush` the outlet, `save` the cursor, `sleep` until there are lines. */
export type IdleStep = 'load' | 'flush' | 'save' | 'sleep';

/** After an error: another router has the drain (`stop`); the lines are refused for good (`set-aside`); they are sent again. */
export type FailureStep = 'stop' | 'set-aside' | 'retry';

/** After so many accepted requests of a limited size twice the size is tried: the destination's limit may have been raised. */
const PROBE_AFTER_REQUESTS = 256;

/** So many requests are planned, several times what is loaded at once: what they cover is written down once for all of them. */
const PLANNED_MAX = 256;

/** Where requests of up to so many bytes may end that cover what comes after a line, at most `count` of them: as {@link Store.pieceEnds}. */
type PieceEnds = (after: Sequence, bytes: number, count: number) => readonly Sequence[];

/** What of an outlet decides how lines are sent to it. */
export interface OutletTraits {
  readonly shipmentBytesMax: number;
  readonly hasFrameIds: boolean;
}

/** The state of one drain's delivery over all of its connections. */
export class DeliveryState {
  /** When the oldest line that isn't settled was stored, milliseconds since 1970; 0 before the first. */
  waitingSinceMs = 0;
  private readonly cursor: CursorState;
  private readonly inFlight = new InFlightShipments();
  private lastSent: Sequence = 0;
  /** Loaded batches; those up to the last sent line are done with. */
  private loaded: readonly StoredBatch[] = [];
  /** The next shipments, as they were planned. */
  private planned: Shipment[] = [];
  /** Where those behind them end, of which nothing is loaded yet. */
  private endsBehind: readonly Sequence[] = [];
  /** Requests that were accepted since their size was limited. */
  private acceptedSinceLimit = 0;

  constructor(cursor: CursorState) {
    this.cursor = cursor;
  }

  /** The last line that was given to the outlet on this connection; right after {@link connect} the last that is settled. */
  get sentUpTo(): Sequence {
    return this.lastSent;
  }

  /** A connection begins: everything that isn't settled is sent, again if it was sent before. */
  connect(): void {
    this.lastSent = this.cursor.record.after;
  }

  /** The connection is closed: what was sent and isn't settled counts as unsent, and a drain that waits holds no memory. */
  disconnect(): void {
    this.loaded = [];
    this.planned = [];
    this.inFlight.clear();
  }

  /** What is to be done first, whenever a step is over. */
  nextStep(): DeliveryStep {
    const unsent = this.loaded.findIndex((batch) => batch.last > this.lastSent);
    if (unsent === -1) return 'load';
    if (unsent > 0) this.loaded = this.loaded.slice(unsent);
    // A request that was planned has all of its lines.
    if ((this.cursor.record.upTo ?? 0) > this.loaded[this.loaded.length - 1].last) return 'load';
    return this.stepWith(this.loaded[0]);
  }

  /** @param batches what the stream has after {@link sentUpTo}, oldest first. */
  onLoaded(batches: readonly StoredBatch[]): DeliveryStep {
    this.loaded = batches;
    // They would be of what was loaded before.
    this.planned = [];
    return batches.length === 0 ? 'wait' : this.stepWith(batches[0]);
  }

  /**
   * Counts the lines before those that are loaded as lost, unless they were settled meanwhile. To be called when it is known
   * what of the lines sent before has arrived: the cursor can't wait for it behind lines that are gone.
   */
  countLoss(): LossSpan | undefined {
    const { first, storedAtMs } = this.loaded[0];
    return this.countLossUpTo(first - 1, storedAtMs);
  }

  /**
   * Counts lines up to `last` as lost, unless they were settled: the stream has nothing at all after {@link sentUpTo}. As with
   * {@link countLoss}, what of the lines sent before has arrived has to be known.
   */
  countLossUpTo(last: Sequence, untilMs: number): LossSpan | undefined {
    const { after, storedAtMs } = this.cursor.record;
    const count = last - after;
    this.inFlight.clear();
    this.lastSent = last;
    if (count <= 0) return undefined;
    const sinceMs = storedAtMs || this.waitingSinceMs || untilMs;
    this.cursor.advance(last, { lost: count }, sinceMs);
    return { count, sinceMs, untilMs };
  }

  /**
   * The lines to send next. A failed request with a frame id is retried with exactly the same lines.
   * @param newest line of the stream, if it is known
   * @param pieceEnds what is known of lines that aren't loaded
   */
  nextShipment(
    { shipmentBytesMax, hasFrameIds }: OutletTraits,
    newest: Sequence = 0,
    pieceEnds: PieceEnds = () => [],
  ): Shipment | undefined {
    const { after, upTo, bytesMax = Number.POSITIVE_INFINITY } = this.cursor.record;
    if (after === this.lastSent) this.waitingSinceMs = this.loaded[0].storedAtMs;
    const maxBytes = Math.min(shipmentBytesMax, bytesMax);
    if (!hasFrameIds) return buildShipment(this.loaded, this.lastSent, maxBytes);
    const planned = this.planned.shift();
    if (planned && planned.first === this.lastSent + 1 && planned.last === upTo) return planned;
    this.planned = [];
    this.endsBehind = [];
    if (upTo !== undefined) return buildShipment(this.loaded, this.lastSent, maxBytes, upTo);
    return this.planShipments(maxBytes, newest, pieceEnds);
  }

  /** The next shipment; those behind it that get no more lines are planned. */
  private planShipments(maxBytes: number, newest: Sequence, pieceEnds: PieceEnds): Shipment | undefined {
    const first = buildShipment(this.loaded, this.lastSent, maxBytes);
    const end = this.loaded[this.loaded.length - 1].last;
    let last = first;
    while (last && last.last < end && this.planned.length < PLANNED_MAX) {
      const next = buildShipment(this.loaded, last.last, maxBytes);
      if (!next) break;
      // While the stream has no more than what is loaded, more lines may come to the last one; and before a gap a loss is counted.
      if ((next.last === end && newest <= end) || next.first !== last.last + 1) break;
      this.planned.push(next);
      last = next;
    }
    const left = PLANNED_MAX - this.planned.length;
    if (last?.last === end && newest > end && left > 0) this.endsBehind = pieceEnds(end, maxBytes, left);
    return first;
  }

  /** A notice of a loss can go with the next shipment: none is in flight. */
  get canSendNotice(): boolean {
    return !this.inFlight.hasNotice;
  }

  /**
   * A shipment comes next. Where requests have frame ids, the cursor has its extent now, and has to be saved before it is sent.
   * @returns `withheld` when there is nothing to send: filters have left no line of it.
   */
  begin(
    shipment: Shipment,
    notice: LossNotice | undefined,
    { hasFrameIds }: OutletTraits,
  ): 'send' | 'withheld' {
    // A protocol without responses confirms what was sent before later, and this with it.
    const isWithheld = shipment.count === 0 && !notice && (hasFrameIds || this.inFlight.isEmpty);
    this.inFlight.add(shipment, notice?.count ?? 0);
    if (isWithheld) return 'withheld';
    // Of a request that was planned it is known already.
    if (hasFrameIds && this.cursor.record.upTo !== shipment.last)
      this.cursor.markInFlight(shipment.last, [...this.planned.map(({ last }) => last), ...this.endsBehind]);
    return 'send';
  }

  /** The shipment was given to the outlet, refused or withheld: the next one comes. */
  onSent({ last }: Shipment): void {
    this.lastSent = last;
  }

  /** Everything up to `upTo` is known to have arrived: settles the shipments that end there or before; undefined when there are none. */
  acknowledge(upTo: Sequence): Acknowledged | undefined {
    const acknowledged = this.inFlight.acknowledge(upTo);
    if (!acknowledged) return undefined;
    this.cursor.advance(acknowledged.last, acknowledged, acknowledged.storedAtMs);
    const { bytesMax } = this.cursor.record;
    if (bytesMax !== undefined && ++this.acceptedSinceLimit >= PROBE_AFTER_REQUESTS) this.limit(bytesMax * 2);
    return acknowledged;
  }

  /**
   * The destination refused a request for its size (413): requests have half as many bytes from now on, and the same lines come next.
   * @param loaded the lines before filters left some out.
   */
  onTooLarge(loaded: Shipment): void {
    this.inFlight.clear();
    this.planned = [];
    this.limit(Math.max(1, Math.floor(loaded.byteLength / 2)));
  }

  /** The destination refused a shipment, or some of its lines, for good. */
  onRefused({ first, last, count, storedAtMs }: Shipment, refusedCount: number): void {
    this.inFlight.clear();
    this.cursor.advance(
      last,
      { lost: refusedCount, delivered: count - refusedCount, withheld: last - first + 1 - count },
      storedAtMs,
    );
  }

  /** What is to be done when there is nothing to send. @param newest line of the stream, as far as is known */
  idleStep(newest: Sequence): IdleStep {
    if (newest > this.lastSent) return 'load';
    if (this.cursor.record.after < this.lastSent) return 'flush';
    return this.cursor.isDirty ? 'save' : 'sleep';
  }

  private limit(bytesMax: number): void {
    this.acceptedSinceLimit = 0;
    this.cursor.limitRequests(bytesMax);
  }

  private stepWith(next: StoredBatch): DeliveryStep {
    return next.first > this.lastSent + 1 ? 'count-loss' : 'ship';
  }
}

/** What an error in the middle of a delivery means. */
export function failureStep(error: unknown): FailureStep {
  if (error instanceof FencedError) return 'stop';
  return error instanceof OutletError && error.isPermanent ? 'set-aside' : 'retry';
}
