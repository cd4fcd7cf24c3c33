import type { LossNotice } from './outlet.ts';
import type { Shipment } from './shipment.ts';

/** What is said over HTTP: one implementation a kind of receiver. */
export interface HttpFormat {
  readonly contentType: string;
  /** Largest shipment it likes, in bytes. */
  readonly shipmentBytesMax: number;
  /** Bytes of an accepting answer that {@link checkResponse} wants to see. */
  readonly responseBytesMax?: number;
  /** Path and query of the requests to a drain's URL. */
  path(url: URL): string;
  /** The body of a request, with the notice of a loss in front when there was one. */
  encode(shipment: Shipment, notice: LossNotice | undefined): Buffer;
  /**
   * Looks into an answer that accepted the request: some accept a request and refuse lines in it.
   * @throws OutletError
   */
  checkResponse?(body: Buffer, shipment: Shipment): void;
}
