import { Client } from 'undici';
import type { Sequence } from '../store/contract.ts';
import { herokuForm } from '../syslog/wire.ts';
import type { DrainRecord } from './drain.ts';
import { type LossNotice, type Outlet, OutletError } from './outlet.ts';
import { encodeShipment, frameId, type Shipment } from './shipment.ts';
import { verdict } from './verdict.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** Heroku's requests are about 100 KB; receivers are built for that. */
const SHIPMENT_BYTES = 262_144;
/** Bytes of an answer that are looked at, for the error's text. */
const ANSWER_BYTES_MAX = 200;

/** Delivers over HTTP and HTTPS as Heroku does: a POST of `application/logplex-1`, one at a time, accepted by a 2xx. */
export class HttpOutlet implements Outlet {
  readonly shipmentBytes = SHIPMENT_BYTES;
  readonly named = true;
  private readonly drain: DrainRecord;
  private readonly client: Client;
  private readonly path: string;
  private readonly headers: Record<string, string>;
  private readonly form = herokuForm();
  private accepted: Sequence = 0;

  constructor(drain: DrainRecord, version: string) {
    const url = new URL(drain.url);
    this.drain = drain;
    this.client = new Client(url.origin, {
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      pipelining: 1,
    });
    this.path = url.pathname + url.search;
    this.headers = {
      'Content-Type': 'application/logplex-1',
      'Logplex-Drain-Token': drain.token,
      'User-Agent': `Logplex/tailrace-${version}`,
    };
    if (url.username || url.password) {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      this.headers.Authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    }
  }

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    const body = encodeShipment(shipment, this.form, notice && noticeFrame(notice));
    const count = shipment.last - shipment.first + 1 + (notice ? 1 : 0);
    await this.post(body, count, frameId(this.drain.token, shipment.first, shipment.last));
    this.accepted = shipment.last;
    return this.accepted;
  }

  async settle(): Promise<Sequence> {
    return this.accepted;
  }

  async close(): Promise<void> {
    await this.client.destroy();
  }

  private async post(body: Buffer, count: number, id: string): Promise<void> {
    let answer: Awaited<ReturnType<Client['request']>>;
    try {
      answer = await this.client.request({
        method: 'POST',
        path: this.path,
        headers: { ...this.headers, 'Logplex-Msg-Count': String(count), 'Logplex-Frame-Id': id },
        body,
      });
    } catch (error) {
      throw new OutletError(describe(error), { cause: error });
    }
    const text = await readSome(answer.body);
    const meaning = verdict(answer.statusCode);
    if (meaning === 'accepted') return;
    const said = text ? `: ${text}` : '';
    throw new OutletError(`the destination answered ${answer.statusCode}${said}`, {
      refused: meaning === 'refused',
      retryAfterMs: retryAfterMs(answer.headers['retry-after']),
    });
  }
}

/** `142 <172>1 2014-11-11T08:24:25+00:00 host heroku logplex - Error L10 …` */
function noticeFrame(notice: LossNotice): Buffer {
  const line = Buffer.from(`<172>1 ${notice.timestamp} host heroku logplex - ${notice.message}\n`);
  return Buffer.concat([Buffer.from(`${line.length} `), line]);
}

/** Reads an answer to its end, so that the connection can be used again, and keeps its beginning. */
async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) if (text.length < ANSWER_BYTES_MAX) text += chunk.toString('utf8');
  } catch {
    // The status has arrived; the rest of the answer doesn't matter.
  }
  return text
    .slice(0, ANSWER_BYTES_MAX)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
}

/** `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), an hour at the most. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1_000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3_600) * 1_000 : undefined;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes = error instanceof AggregateError ? error.errors.map(String).join('; ') : '';
  return error.message || causes || error.name;
}
