import type { Sequence } from '../store/contract.ts';
import type { Shipment } from './shipment.ts';

export interface OutletErrorOptions {
  readonly isPermanent?: boolean;
  readonly refusedLines?: RefusedLines;
  readonly retryAfterMs?: number;
  readonly isCertificateError?: boolean;
  readonly cause?: unknown;
}

/** Some lines of a shipment were refused, and the others accepted: how many, and which if that is known, counted from 0. */
export interface RefusedLines {
  readonly count: number;
  readonly indexes?: ReadonlySet<number>;
}

/** Why a shipment wasn't accepted. */
export class OutletError extends Error {
  /** The destination will never take it: go on with the next. */
  readonly isPermanent: boolean;
  /** Left out: all of them were refused. */
  readonly refusedLines: RefusedLines | undefined;
  /** When the destination asks to be left alone until then, milliseconds from now (`Retry-After`). */
  readonly retryAfterMs: number | undefined;
  /** A certificate wasn't accepted, by us or by the destination (L14). */
  readonly isCertificateError: boolean;

  constructor(message: string, options: OutletErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'OutletError';
    this.isPermanent = options.isPermanent ?? false;
    this.refusedLines = options.refusedLines;
    this.retryAfterMs = options.retryAfterMs;
    this.isCertificateError = options.isCertificateError ?? false;
  }
}

/** A way to one destination: one implementation a protocol; retrying, counting and cursors are the worker's. */
export interface Outlet {
  /** Largest shipment it likes, in bytes. */
  readonly shipmentBytesMax: number;
  /** Requests have names: a repeated one has to have exactly the same lines, so its extent is written down before. */
  readonly hasFrameIds: boolean;
  /** What the destination said to the last shipment, for people; '' when it says nothing. */
  readonly lastAnswer: string;
  /**
   * Sends a shipment, with the notice of a loss in front of it when there was one. Resolves when the next may be sent, with the sequence
   * up to which everything is known to be accepted: a protocol without answers may say so later.
   * @throws OutletError
   */
  send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence>;
  /** Resolves when everything that was sent is known to be accepted. Called when there is nothing to send for now. */
  flush(): Promise<Sequence>;
  /** Gives the connection up; what isn't known to be accepted will be sent again. */
  close(): Promise<void>;
}

/** A loss that the destination is told of (L10). */
export interface LossNotice {
  /** The drain's token: whose loss it is. */
  readonly drainToken: string;
  readonly count: number;
  /** The message, without a header. */
  readonly message: string;
  readonly timestamp: string;
}
