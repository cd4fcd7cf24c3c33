import type { MultilineMode } from '../../syslog/heroku-frames.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { jsonLinesEncoder, RECORD_JSON_FRAME, recordJsonTemplate, rfc5424Template } from './encode-text.ts';
import { type LineFrame, noticeLines } from './line-template.ts';
import { linesMemory, TemplateEncoder } from './wasm/wasm-lines.ts';

const SHIPMENT_BYTES_MAX = 262_144;
const NOTHING_AROUND: LineFrame = {};

/** Frames of `application/logplex-1` with strict RFC 5424 lines. */
export function rfc5424Format(multiline: MultilineMode = 'split'): HttpFormat {
  let splitCount = 0;
  const onSplit = (more: number): void => {
    splitCount += more;
  };
  const template = rfc5424Template('octet', multiline === 'split' ? { onSplit } : {});
  const encoder = new TemplateEncoder(template);
  return {
    contentType: 'application/logplex-1',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    memory: linesMemory,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice, pool) => {
      splitCount = 0;
      const body = encoder.encode(shipment, NOTHING_AROUND, {}, pool, noticeLines(notice));
      return { body, messageCount: shipment.count + (notice ? 1 : 0) + splitCount };
    },
  };
}

/** JSON lines. */
export function jsonLinesFormat(app: string): HttpFormat {
  const encode = jsonLinesEncoder(app);
  return {
    contentType: 'application/x-ndjson',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    memory: linesMemory,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice, pool) => encodedLines(encode(shipment, notice, pool), shipment, notice),
  };
}

/** A JSON array of lines, for destinations of one's own. */
export function webhookFormat(app: string): HttpFormat {
  const encoder = new TemplateEncoder(recordJsonTemplate(app));
  const frame = { ...RECORD_JSON_FRAME, tail: ',' };
  const body = { head: '[', separated: true, tail: ']' };
  return {
    contentType: 'application/json',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    memory: linesMemory,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice, pool) =>
      encodedLines(encoder.encode(shipment, frame, body, pool, noticeLines(notice)), shipment, notice),
  };
}
