/**
 * The datagrams of one sender, in their order: while a token of one has to be looked up, those behind it wait, whatever they are.
 * A connection does the same by not reading on; a datagram has to be held.
 */
import { LruCache } from '../../../common/lru-cache.ts';
import type { Framing } from '../../syslog/framing.ts';
import { FrameOutcome, type LineReceiver } from '../line-receiver.ts';
import type { DatagramTaker } from './datagram-batch.ts';

/** What a held datagram takes besides its bytes. */
const OVERHEAD_BYTES = 128;
/** So many held ones are taken before others get their turn of the event loop. */
const TAKEN_A_TURN = 250;
/** So many that were taken are left in front of the others before these are moved. */
const TAKEN_MAX = 1_000;

/** Datagrams of all senders of all ports that may wait for the look-up of a token, in bytes. */
const HELD_BYTES_MAX = 16 * 1_048_576;
/** Senders that are kept. */
const SENDERS_MAX = 1_000;

/** What all ports for datagrams share: rules may name hundreds of them, and whoever forges addresses is a sender of each by any number of names. */
export class DatagramMemory {
  /** By port and address. */
  readonly senders = new LruCache<string, DatagramSender>(SENDERS_MAX);
  leftBytes: number;
  private ports = 0;

  /** @param heldBytesMax how much all senders' datagrams may hold */
  constructor(heldBytesMax = HELD_BYTES_MAX) {
    this.leftBytes = heldBytesMax;
  }

  /** A name for a port that is opened, also once more, in {@link senders}. */
  nextPortName(): string {
    return String(this.ports++);
  }
}

/** What the datagrams of all senders of a port hold. */
export class HoldBudget {
  private readonly memory: DatagramMemory;
  private heldCount = 0;
  private readonly onNone: (() => void)[] = [];

  constructor(memory: DatagramMemory) {
    this.memory = memory;
  }

  /** Takes a datagram of so many bytes off it; false when there is no room. */
  take(bytes: number): boolean {
    if (bytes + OVERHEAD_BYTES > this.memory.leftBytes) return false;
    this.memory.leftBytes -= bytes + OVERHEAD_BYTES;
    this.heldCount++;
    return true;
  }

  /** A datagram of so many bytes, for which {@link take} gave true, isn't held any more. */
  giveBack(bytes: number): void {
    this.memory.leftBytes += bytes + OVERHEAD_BYTES;
    this.heldCount--;
    if (this.heldCount === 0) for (const resolve of this.onNone.splice(0)) resolve();
  }

  /** Resolves when nobody holds a datagram. */
  async whenNone(): Promise<void> {
    if (this.heldCount > 0) await new Promise<void>((resolve) => this.onNone.push(resolve));
  }
}

/** What of a {@link LineReceiver} takes datagrams. */
export type DatagramReceiver = Pick<
  LineReceiver,
  'take' | 'takeFastPath' | 'loadToken' | 'flushInBackground'
>;

/** One for each address that sends to a port. UDP tells nobody of losses: what can't be held is only counted. */
export class DatagramSender implements DatagramTaker {
  private readonly receiver: DatagramReceiver;
  private readonly budget: HoldBudget;
  private readonly lost: () => void;
  /** The first waits for its token, the others for the first. */
  private held: Buffer[] = [];
  /** Of {@link held} so many are taken already. */
  private taken = 0;
  private isWaiting = false;

  /** @param lost is called for each datagram that can't be held, or whose token can't be looked up */
  constructor(receiver: DatagramReceiver, budget: HoldBudget, lost: () => void) {
    this.receiver = receiver;
    this.budget = budget;
    this.lost = lost;
  }

  takeFastPath(bytes: Uint8Array, pos: number, framing: Framing): number {
    return this.held.length > 0 ? pos : this.receiver.takeFastPath(bytes, pos, framing);
  }

  /** Takes the line `bytes[start, end)`; the bytes may be others afterwards. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.held.length === 0 && this.receiver.take(bytes, start, end) !== FrameOutcome.needsTokenLookup)
      return;
    if (!this.budget.take(end - start)) {
      this.lost();
      return;
    }
    this.held.push(Buffer.from(bytes.subarray(start, end)));
    if (!this.isWaiting) void this.takeHeld();
  }

  /** The lines taken so far are fire-and-forget, and may wait for others so long. */
  flushInBackground(lingerMs: number): void {
    this.receiver.flushInBackground(lingerMs);
  }

  private async takeHeld(): Promise<void> {
    this.isWaiting = true;
    do {
      // The store is away: nobody may wait for one look-up after the other.
      const isAway = await this.receiver.loadToken().then(
        () => false,
        () => true,
      );
      while (this.takeKnown(isAway) === 'turn') {
        this.receiver.flushInBackground();
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.receiver.flushInBackground();
    } while (this.held.length > 0);
    this.isWaiting = false;
  }

  /** Takes what is held up to the first datagram whose token has to be looked up, those being lost if none can be; or what may be taken in a turn. */
  private takeKnown(isAway: boolean): 'all' | 'lookup' | 'turn' {
    if (this.taken > TAKEN_MAX && 2 * this.taken > this.held.length) {
      this.held.splice(0, this.taken);
      this.taken = 0;
    }
    const { held } = this;
    for (let left = TAKEN_A_TURN; this.taken < held.length; left--) {
      if (left === 0) return 'turn';
      const line = held[this.taken];
      if (this.receiver.take(line, 0, line.length) === FrameOutcome.needsTokenLookup) {
        if (!isAway) return 'lookup';
        this.lost();
      }
      this.budget.giveBack(line.length);
      this.taken++;
    }
    this.held = [];
    this.taken = 0;
    return 'all';
  }
}
