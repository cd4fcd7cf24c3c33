/** Grafana Loki's push API: one stream for each set of labels. */
import { recordLevel } from '../../syslog/record.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { readRecords, toUnixNanoseconds } from './shipment-records.ts';

export function lokiFormat(app: string): HttpFormat {
  return {
    contentType: 'application/json',
    shipmentBytesMax: 262_144,
    path: (url) => (url.pathname === '/' ? '/loki/api/v1/push' : url.pathname) + url.search,
    encode(shipment, notice) {
      const streams = new Map<string, { stream: Record<string, string>; values: [string, string][] }>();
      for (const line of readRecords(shipment, notice)) {
        const { source, dyno, timestamp, message } = line;
        // Labels with few values only: Loki's index is made of them.
        const stream = { job: 'tailrace', app, source, dyno, level: recordLevel(line) };
        const key = JSON.stringify(stream);
        let entry = streams.get(key);
        if (!entry) {
          entry = { stream, values: [] };
          streams.set(key, entry);
        }
        entry.values.push([toUnixNanoseconds(timestamp), message]);
      }
      return encodedLines(Buffer.from(JSON.stringify({ streams: [...streams.values()] })), shipment, notice);
    },
  };
}
