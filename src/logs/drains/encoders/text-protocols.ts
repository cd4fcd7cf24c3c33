import type { HttpProtocol } from '../protocol.ts';
import { asJson, linesOf } from './line-fields.ts';
import { jsonLines, strictLines } from './text-lines.ts';

const SHIPMENT_BYTES = 262_144;

/** Frames of `application/logplex-1` with strict RFC 5424 lines. */
export function strictProtocol(): HttpProtocol {
  return {
    contentType: 'application/logplex-1',
    shipmentBytes: SHIPMENT_BYTES,
    path: (url) => url.pathname + url.search,
    encode: strictLines('octet'),
  };
}

/** JSON lines. */
export function jsonLinesProtocol(app: string): HttpProtocol {
  return {
    contentType: 'application/x-ndjson',
    shipmentBytes: SHIPMENT_BYTES,
    path: (url) => url.pathname + url.search,
    encode: jsonLines(app),
  };
}

/** A JSON array of lines, for receivers of one's own. */
export function webhookProtocol(app: string): HttpProtocol {
  return {
    contentType: 'application/json',
    shipmentBytes: SHIPMENT_BYTES,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) =>
      Buffer.from(JSON.stringify(linesOf(shipment, notice).map((line) => asJson(line, app)))),
  };
}
