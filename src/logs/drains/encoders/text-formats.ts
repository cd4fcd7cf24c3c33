import type { MultilineMode } from '../../syslog/heroku-frames.ts';
import { type LogRecord, recordLevel, toRecordJson } from '../../syslog/record.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { encodeRfc5424, jsonLinesEncoder } from './encode-text.ts';
import { readRecords } from './shipment-records.ts';

const SHIPMENT_BYTES_MAX = 262_144;

/** Frames of `application/logplex-1` with strict RFC 5424 lines. */
export function rfc5424Format(multiline: MultilineMode = 'split'): HttpFormat {
  return {
    contentType: 'application/logplex-1',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) => {
      const records = readRecords(shipment, notice);
      const messages = multiline === 'split' ? records.flatMap(splitMessage) : records;
      return { body: encodeRfc5424(messages, 'octet'), messageCount: messages.length };
    },
  };
}

/** JSON lines. */
export function jsonLinesFormat(app: string): HttpFormat {
  const encode = jsonLinesEncoder(app);
  return {
    contentType: 'application/x-ndjson',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) => encodedLines(encode(shipment, notice), shipment, notice),
  };
}

/** A JSON array of lines, for destinations of one's own. */
export function webhookFormat(app: string): HttpFormat {
  return {
    contentType: 'application/json',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) =>
      encodedLines(
        Buffer.from(
          JSON.stringify(
            readRecords(shipment, notice).map((line) => toRecordJson(line, recordLevel(line), app)),
          ),
        ),
        shipment,
        notice,
      ),
  };
}

/** A record for each line of a message; the first has the structured data. */
function splitMessage(record: LogRecord): LogRecord[] {
  if (!record.message.includes('\n')) return [record];
  return record.message.split('\n').map((message, i) => ({
    ...record,
    structuredData: i === 0 ? record.structuredData : '-',
    message,
  }));
}
