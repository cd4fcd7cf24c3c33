import { RecordCursor } from '../../syslog/batch.ts';
import {
  encodeCommonHerokuFrames,
  HEROKU_OVERHEAD_BYTES,
  herokuFrames,
  type MultilineMode,
} from '../../syslog/heroku-frames.ts';
import { codecMemory } from '../../syslog/wasm/wasm-codec.ts';
import type { EncodedRequest, HttpFormat, RequestBodyPool } from '../http-format.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';

/** Heroku's requests have about 100 KB; destinations are built for that. */
const SHIPMENT_BYTES_MAX = 262_144;

/** `application/logplex-1`, as Heroku's HTTPS drains send it. */
export function logplexFormat(multiline: MultilineMode = 'split'): HttpFormat {
  return {
    contentType: 'application/logplex-1',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    memory: () => codecMemory,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice, pool) =>
      encodeLogplex(shipment, notice && lossNoticeFrame(notice), multiline, pool),
  };
}

function encodeLogplex(
  shipment: Shipment,
  notice: Buffer | undefined,
  multiline: MultilineMode,
  pool: RequestBodyPool,
): EncodedRequest {
  const size = shipment.byteLength + shipment.count * HEROKU_OVERHEAD_BYTES + (notice?.length ?? 0);
  const out = pool.acquireSlot?.(codecMemory.bodies, size) ?? pool.acquire(size);
  let at = notice ? notice.copy(out) : 0;
  let messageCount = notice ? 1 : 0;
  /** What comes before `out[from, at)`; empty as long as all lines are common ones. */
  const chunks: Buffer[] = [];
  let from = 0;
  for (const { batch, start, end, count } of shipment.slices) {
    const written = encodeCommonHerokuFrames(batch.bytes, start, end, count, multiline, out, at);
    if (written >= 0) {
      at = written;
      messageCount += count;
      continue;
    }
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const frames = herokuFrames(new RecordCursor(bytes, start, end), bytes, multiline);
    messageCount += frames.length;
    for (const frame of [out.subarray(from, at), ...frames]) chunks.push(frame);
    from = at;
  }
  const rest = out.subarray(from, at);
  return { body: chunks.length === 0 ? rest : Buffer.concat([...chunks, rest]), messageCount };
}

/**
 * `182 <172>1 2014-11-11T08:24:25+00:00 d.51f5… heroku logplex - Error L10 …`: its host is the drain's token, so that a
 * destination can distinguish its own loss from the same line in the app's stream, which goes to all drains.
 */
function lossNoticeFrame(notice: LossNotice): Buffer {
  const line = Buffer.from(
    `<172>1 ${notice.timestamp} ${notice.drainToken} heroku logplex - ${notice.message}\n`,
  );
  return Buffer.concat([Buffer.from(`${line.length} `), line]);
}
