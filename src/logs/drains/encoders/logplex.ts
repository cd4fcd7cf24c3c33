import { herokuLineEncoder } from '../../syslog/encode.ts';
import type { HttpFormat } from '../http-format.ts';
import type { LossNotice } from '../outlet.ts';
import { encodeShipment } from '../shipment.ts';

/** Heroku's requests have about 100 KB; destinations are built for that. */
const SHIPMENT_BYTES_MAX = 262_144;

/** `application/logplex-1`, as Heroku's HTTPS drains send it. */
export function logplexFormat(): HttpFormat {
  const encoder = herokuLineEncoder();
  return {
    contentType: 'application/logplex-1',
    shipmentBytesMax: SHIPMENT_BYTES_MAX,
    path: (url) => url.pathname + url.search,
    encode: (shipment, notice) => encodeShipment(shipment, encoder, notice && lossNoticeFrame(notice)),
  };
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
