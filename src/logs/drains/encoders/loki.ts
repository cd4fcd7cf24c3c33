/** Grafana Loki's push API: one stream for each set of labels. */
import type { LogLevel } from '../../syslog/level.ts';
import type { LogRecord } from '../../syslog/record.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { type LineTemplate, noticeLines, rememberedByLine } from './line-template.ts';
import { type GroupFrame, linesMemory, TemplateEncoder } from './wasm/wasm-lines.ts';

/** A value is `["<nanoseconds>","<message>"]`. */
const FRAME = { head: '["', mid: '","', tail: ',' };
const BODY = { head: '{"streams":[', separated: true, tail: ']}' };

/** Loki's push API, in JSON: a stream for each set of labels. */
export function lokiFormat(app: string): HttpFormat {
  // Labels with few values only: Loki's index is made of them.
  const labels = ({ source, dyno }: LogRecord, level: LogLevel): string =>
    JSON.stringify({ job: 'tailrace', app, source, dyno, level });
  const template: LineTemplate = {
    time: 'nanoseconds',
    isJson: true,
    withoutData: true,
    pieces: () => ({ c1: '', c2: '"]' }),
    group: labels,
  };
  const stream: GroupFrame = {
    head: rememberedByLine((line, level) => Buffer.from(`{"stream":${labels(line, level)},"values":[`)),
    tail: Buffer.from(']}'),
  };
  const encoder = new TemplateEncoder(template);
  return {
    contentType: 'application/json',
    shipmentBytesMax: 262_144,
    memory: linesMemory,
    path: (url) => (url.pathname === '/' ? '/loki/api/v1/push' : url.pathname) + url.search,
    encode: (shipment, notice, pool) =>
      encodedLines(
        encoder.encode(shipment, FRAME, BODY, pool, noticeLines(notice), stream),
        shipment,
        notice,
      ),
  };
}
