/** The bulk API of Elasticsearch and OpenSearch. Documents have names of their own, so that a repeated request adds nothing. */

import { OutletError } from '../outlet.ts';
import type { HttpProtocol } from '../protocol.ts';
import { frameId, type Shipment } from '../shipment.ts';
import { asEcs } from './ecs.ts';
import { linesOf } from './line-fields.ts';

/** A data stream that both have a template for. */
const INDEX = 'logs-tailrace-default';
const CONFLICT = 409;

export function elasticsearchProtocol(drainName: string, app: string, index = INDEX): HttpProtocol {
  return {
    contentType: 'application/x-ndjson',
    shipmentBytes: 262_144,
    answerBytes: 8_388_608,
    path: (url) => (url.pathname === '/' ? '/_bulk' : url.pathname) + url.search,
    encode(shipment, notice) {
      const name = frameId(drainName, shipment.first, shipment.last);
      const lines = linesOf(shipment, notice);
      // The notice is no line of the shipment: it must not change the names of those.
      const from = notice ? -1 : 0;
      return Buffer.from(
        lines
          .map((line, i) => {
            const id = from + i < 0 ? `${name}-notice-${notice?.count}` : `${name}-${from + i}`;
            return `${JSON.stringify({ create: { _index: index, _id: id } })}\n${JSON.stringify(asEcs(line, app))}\n`;
          })
          .join(''),
      );
    },
    accepted: judge,
  };
}

interface Item {
  readonly status: number;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

/** A bulk request is answered by 200, whatever became of its documents. */
function judge(answer: Buffer, shipment: Shipment): void {
  const { errors, items } = parse(answer.toString());
  if (!errors) return;
  const offset = items.length - shipment.count; // the notice
  const bad = items.flatMap((item, i) =>
    item.status >= 300 && item.status !== CONFLICT ? [{ ...item, index: i - offset }] : [],
  );
  if (bad.length === 0) return;
  const { status, error } = bad[0];
  const why = `${status} ${error?.type ?? ''} ${error?.reason ?? ''}`.trim().slice(0, 300);
  // Busy or broken: those that were taken aren't added again by a repetition.
  if (bad.some((item) => item.status === 429 || item.status >= 500))
    throw new OutletError(
      `the destination took ${items.length - bad.length} of ${items.length} lines: ${why}`,
    );
  const indexes = new Set(bad.map(({ index }) => index).filter((index) => index >= 0));
  if (indexes.size > 0)
    throw new OutletError(`the destination refused ${indexes.size} lines: ${why}`, {
      refused: true,
      refusedLines: { count: indexes.size, indexes },
    });
}

function parse(answer: string): { errors: boolean; items: Item[] } {
  let value: { errors?: boolean; items?: Record<string, Item>[] };
  try {
    value = JSON.parse(answer);
  } catch {
    throw new OutletError('the destination answered 200, but not as a bulk API does');
  }
  return { errors: value.errors === true, items: (value.items ?? []).map((item) => Object.values(item)[0]) };
}
