import { recordLevel, toRecordJson } from '../../syslog/record.ts';
import type { HttpFormat } from '../http-format.ts';
import { jsonLinesEncoder, rfc5424Encoder } from './encode-text.ts';
import { readRecords } from './shipment-records.ts';

const SHIPMENT_BYTES_MAX = 262_144;

/** Frames of `application/logplex-1` with strict RFC 5424 lines. */
export function rfc5424Format(): HttpFormat {
  return {
    contentType: 'application/logplex-1',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: rfc5424Encoder('octet'),
  };
}

/** JSON lines. */
export function jsonLinesFormat(app: string): HttpFormat {
  return {
    contentType: 'application/x-ndjson',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: jsonLinesEncoder(app),
  };
}

/** A JSON array of lines, for destinations of one's own. */
export function webhookFormat(app: string): HttpFormat {
  return {
    contentType: 'application/json',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) =>
      Buffer.from(
        JSON.stringify(
          readRecords(shipment, notice).map((line) => toRecordJson(line, recordLevel(line), app)),
        ),
      ),
  };
}
