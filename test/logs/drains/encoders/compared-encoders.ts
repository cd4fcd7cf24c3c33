/** The encoders of drains' formats, and by the same names what they are held to. */
import { elasticsearchFormat } from '../../../../src/logs/drains/encoders/elasticsearch.ts';
import {
  jsonLinesEncoder,
  rfc5424Encoder,
  type ShipmentEncoder,
} from '../../../../src/logs/drains/encoders/encode-text.ts';
import { lokiFormat } from '../../../../src/logs/drains/encoders/loki.ts';
import { otlpFormat } from '../../../../src/logs/drains/encoders/otlp.ts';
import { rfc5424Format, webhookFormat } from '../../../../src/logs/drains/encoders/text-formats.ts';
import type { HttpFormat } from '../../../../src/logs/drains/http-format.ts';
import type { LossNotice } from '../../../../src/logs/drains/outlet.ts';
import type { Shipment } from '../../../../src/logs/drains/shipment.ts';
import { SIMPLE_FORMATS } from './simple-encoders.ts';

const APP = 'shop “1”';

export const NOTICE: LossNotice = {
  drainToken: 'd.1',
  count: 7,
  message: 'Error L10 (output buffer overflow): drain dropped 7 messages',
  timestamp: '2026-11-28T09:21:00.000000+00:00',
};

const http =
  (format: HttpFormat): ShipmentEncoder =>
  (shipment, notice, memory) =>
    (format.encode(shipment, notice, memory) as { body: Buffer }).body;

/** They are used all the time: what they remember of one shipment must not be wrong for the next. */
export const WASM_ENCODERS: Readonly<Record<string, ShipmentEncoder>> = {
  'json lines': jsonLinesEncoder(APP),
  'json in octets': jsonLinesEncoder(APP, 'octet'),
  webhook: http(webhookFormat(APP)),
  'rfc5424 in octets': rfc5424Encoder('octet'),
  'rfc5424 in newlines': rfc5424Encoder('newline', 'd.1'),
  'rfc5424 over HTTP': http(rfc5424Format()),
  loki: http(lokiFormat(APP)),
  elasticsearch: http(elasticsearchFormat(() => 'd.1', APP, 'logs')),
  'otlp json': http(otlpFormat(APP, '1', 'json')),
  'otlp protobuf': http(otlpFormat(APP, '1', 'protobuf')),
};

export const SIMPLE_ENCODERS: Readonly<
  Record<string, (shipment: Shipment, notice: LossNotice | undefined) => Buffer>
> = Object.fromEntries(Object.entries(SIMPLE_FORMATS).map(([name, format]) => [name, format(APP)]));
