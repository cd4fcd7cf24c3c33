import type { WasmSlots } from '../../common/wasm/wasm-slots.ts';
import type { Sequence } from '../store/contract.ts';
import type { Shipment } from './shipment.ts';

export interface OutletErrorOptions {
  readonly isPermanent?: boolean;
  readonly isTooLarge?: boolean;
  readonly refusedLines?: RefusedLines;
  readonly retryAfterMs?: number;
  readonly isCertificateError?: boolean;
  readonly cause?: unknown;
}

/** Lines of a shipment that were refused, while the others were accepted: how many, and which if that is known, counted from 0. */
export interface RefusedLines {
  readonly count: number;
  readonly indexes?: ReadonlySet<number>;
}

/** Why a shipment wasn't accepted. */
export class OutletError extends Error {
  /** The destination will never accept it: go on with the next. */
  readonly isPermanent: boolean;
  /** The request was too large for it (413): fewer lines may fit. */
  readonly isTooLarge: boolean;
  /** Undefined: all of them were refused. */
  readonly refusedLines: RefusedLines | undefined;
  /** `Retry-After` of the destination, milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** A certificate was rejected, by us or by the destination (L14). */
  readonly isCertificateError: boolean;

  constructor(message: string, options: OutletErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'OutletError';
    this.isPermanent = options.isPermanent ?? false;
    this.isTooLarge = options.isTooLarge ?? false;
    this.refusedLines = options.refusedLines;
    this.retryAfterMs = options.retryAfterMs;
    this.isCertificateError = options.isCertificateError ?? false;
  }
}

/** Sends shipments to one destination: one implementation a protocol. Retries, counts and cursors are the worker's. */
export interface Outlet {
  /** Largest shipment, in bytes of records; a single larger line goes alone. */
  readonly shipmentBytesMax: number;
  /** Requests have frame ids (idempotency keys): a retry has to have exactly the same lines, so its extent is saved before. */
  readonly hasFrameIds: boolean;
  /** Lines that were read there needn't be copied to be encoded. */
  readonly lineMemory?: WasmSlots;
  /** The destination's response to the last shipment, for people; '' for a protocol without responses. */
  readonly lastAnswer: string;
  /**
   * Sends a shipment, the notice of a loss in front of it. Resolves when the next may be sent, with the sequence up to which
   * everything is acknowledged; a protocol without responses may confirm lines later.
   * @throws OutletError
   */
  send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence>;
  /** Resolves when everything that was sent is acknowledged. Called when there is nothing to send for now. */
  flush(): Promise<Sequence>;
  /** Closes the connection, and ends every wait for it; what isn't acknowledged will be sent again. */
  close(): Promise<void>;
}

/** Notifies the destination of lines that the drain has lost (L10). */
export interface LossNotice {
  /** The drain's token: whose loss it is. */
  readonly drainToken: string;
  readonly count: number;
  /** The message, without a header. */
  readonly message: string;
  readonly timestamp: string;
}
