import type { EncoderMemory, WasmSlots } from '../../common/wasm/wasm-slots.ts';
import type { LossNotice } from './outlet.ts';
import type { Shipment } from './shipment.ts';

/** Memory for bodies, as a pool gives it. */
export interface RequestBodyPool {
  /** At least `bytes` of memory, with any content. */
  acquire(bytes: number): Buffer;
  /** All of a free slot, if one has at least `bytes` (some, when they are left out). Left out: what is encoded is copied. */
  acquireSlot?(slots: WasmSlots, bytes?: number): Buffer | undefined;
  /** Takes back what {@link acquire} gave, or a part of it from its beginning, if it is that. */
  release(body: Uint8Array): boolean;
}

/** The body of a request, of memory that was given for it, and how many messages are in it (`Logplex-Msg-Count`). */
export interface EncodedRequest {
  readonly body: Buffer;
  readonly messageCount: number;
}

/** How a shipment becomes a request: one implementation a kind of destination. {@link gzipFormat} wraps any of them. */
export interface HttpFormat {
  readonly contentType: string;
  /** `Content-Encoding`; left out: none. */
  readonly contentEncoding?: string;
  /** Largest shipment, in bytes of records; a single larger line goes alone. */
  readonly shipmentBytesMax: number;
  /** Bytes of an accepting response that {@link checkResponse} gets. */
  readonly responseBytesMax?: number;
  /** Of the module that encodes its requests. */
  readonly memory: () => EncoderMemory;
  /** Path and query of the requests to a drain's URL. */
  path(url: URL): string;
  /** A request with a shipment's lines, the notice of a loss in front when there was one. */
  encode(
    shipment: Shipment,
    notice: LossNotice | undefined,
    memory: RequestBodyPool,
  ): EncodedRequest | Promise<EncodedRequest>;
  /**
   * Checks the response that accepted the request: some destinations accept a request and refuse lines in it.
   * @throws OutletError
   */
  checkResponse?(body: Buffer, shipment: Shipment): void;
}

/** A request in which each line is one message, and so is the notice. */
export function encodedLines(
  body: Buffer,
  shipment: Shipment,
  notice: LossNotice | undefined,
): EncodedRequest {
  return { body, messageCount: shipment.count + (notice ? 1 : 0) };
}
