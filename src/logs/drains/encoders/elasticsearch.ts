/** The bulk API of Elasticsearch and OpenSearch. Documents get ids made of the frame id, so that a retry adds nothing. */

import { isJsonObject, scalarText } from '../../../common/json-object.ts';
import { formatCount } from '../../../common/text/format-numbers.ts';
import type { Sequence } from '../../store/contract.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { OutletError } from '../outlet.ts';
import { frameId, type Shipment } from '../shipment.ts';
import { parseAnswer } from './answer-json.ts';
import { classifyDrainResponse } from './classify-response.ts';
import { ecsTemplate } from './ecs.ts';
import { noticeLines } from './line-template.ts';
import { linesMemory, TemplateEncoder } from './wasm/wasm-lines.ts';

/** A data stream for which both have an index template. */
const DEFAULT_INDEX = 'logs-tailrace-default';
const CONFLICT = 409;

/** @param seedOf what names the drain in the ids of lines up to one, see `frameIdSeed` */
export function elasticsearchFormat(
  seedOf: (last: Sequence) => string,
  app: string,
  index = DEFAULT_INDEX,
): HttpFormat {
  const encoder = new TemplateEncoder(ecsTemplate(app));
  const action = `{"create":{"_index":${JSON.stringify(index)},"_id":"`;
  return {
    contentType: 'application/x-ndjson',
    shipmentBytesMax: 262_144,
    memory: linesMemory,
    responseBytesMax: 8_388_608,
    path: (url) => (url.pathname === '/' ? '/_bulk' : url.pathname) + url.search,
    encode(shipment, notice, pool) {
      const head = `${action}${frameId(seedOf(shipment.last), shipment.first, shipment.last)}-`;
      const frame = { head, head2: '"}}\n{"@timestamp":"', tail: '\n' };
      // The notice is no line of the shipment: it must not change the ids of those.
      const before = noticeLines(notice, {
        ...frame,
        head: `${head}notice-`,
        index: notice?.count,
      });
      return encodedLines(encoder.encode(shipment, frame, {}, pool, before), shipment, notice);
    },
    checkResponse: checkBulkResponse,
  };
}

interface BulkItem {
  readonly status: number;
  readonly error?: unknown;
}

/** A bulk request is answered by 200, even when documents fail. */
function checkBulkResponse(body: Buffer, shipment: Shipment): void {
  const items = parseBulkResponse(body, shipment.count);
  if (items.length === 0) return;
  const offset = items.length - shipment.count; // the notice
  const failed = items.flatMap((item, i) =>
    classifyDrainResponse(item.status) === 'accepted' || item.status === CONFLICT
      ? []
      : [{ ...item, index: i - offset }],
  );
  if (failed.length === 0) return;
  // Overloaded, failing, or blocked until somebody mends it: a retry doesn't add the accepted ones again.
  const retried = failed.find((item) => classifyDrainResponse(item.status) === 'retry');
  if (retried)
    throw new OutletError(
      `the destination took ${items.length - failed.length} of ${items.length} lines: ${whyNot(retried)}`,
    );
  const indexes = new Set(failed.map(({ index }) => index).filter((index) => index >= 0));
  if (indexes.size > 0)
    throw new OutletError(
      `the destination refused ${formatCount(indexes.size, 'line')}: ${whyNot(failed[0])}`,
      {
        isPermanent: true,
        refusedLines: { count: indexes.size, indexes },
      },
    );
}

function whyNot({ status, error }: BulkItem): string {
  const { type, reason } = isJsonObject(error) ? error : { type: error, reason: undefined };
  return [status, scalarText(type), scalarText(reason)].filter((word) => word !== undefined).join(' ');
}

/**
 * What a bulk API says of each document, in order; nothing when all were taken.
 * @throws OutletError when it says that some were refused, and not which
 */
function parseBulkResponse(body: Buffer, lines: number): readonly BulkItem[] {
  const value = parseAnswer(body, lines);
  if (!value) throw new OutletError('the destination answered 200, but not as a bulk API does');
  // A filter_path may have left it out.
  if (value.errors !== true && (value.errors === false || !Array.isArray(value.items))) return [];
  const items = Array.isArray(value.items) ? value.items.map((item) => Object.values(item ?? {})[0]) : [];
  // A notice may be in front of the lines.
  if (items.length < lines || items.length > lines + 1 || !items.every(isBulkItem))
    throw new OutletError(
      "the destination refused lines, and doesn't say which: its answer has to have the status of each (filter_path in the URL may leave it out)",
    );
  return items;
}

function isBulkItem(value: unknown): value is BulkItem {
  return typeof value === 'object' && value !== null && 'status' in value && typeof value.status === 'number';
}
