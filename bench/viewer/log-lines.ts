/**
 * Lines as a viewer gets them: of Heroku's router, an app's logfmt, JSON, stack traces. The same seed gives the same lines. Ids, addresses and
 * durations are as random as they are in life: they are most of what is left when lines are compressed.
 */
import { HEADROOM, RECORD_HEADER } from '../../src/logs/syslog/batch.ts';
import { formatTimestamp } from '../../src/logs/syslog/timestamp.ts';

const METHODS = ['GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'];
const RESOURCES = ['orders', 'users', 'invoices', 'carts', 'products', 'sessions', 'search', 'payments'];
const ACTIONS = ['index', 'show', 'create', 'update', 'export', 'confirm'];
const STATUSES = [200, 200, 200, 200, 200, 200, 201, 204, 302, 304, 400, 401, 403, 404, 422, 500, 503];
const EVENTS = [
  'cache.hit',
  'cache.miss',
  'db.query',
  'job.enqueued',
  'job.done',
  'mail.sent',
  'payment.settled',
];
const WORDS = [
  'queue',
  'worker',
  'retry',
  'tenant',
  'replica',
  'cluster',
  'partition',
  'checkout',
  'inventory',
  'gateway',
];
const FRAMES = [
  'OrdersController.show',
  'Repository.findAll',
  'Pool.checkout',
  'HttpClient.send',
  'Renderer.render',
];

/** Numbers that a seed decides (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Makes lines one after the other. */
export class LogLines {
  private readonly random: () => number;
  private timeMs: number;
  private readonly stepMs: number;
  private trace = 0;
  private traceDyno = '';

  /** @param stepMs the time between two lines, on average */
  constructor(seed: number, startMs: number, stepMs: number) {
    this.random = seededRandom(seed);
    this.timeMs = startMs;
    this.stepMs = stepMs;
  }

  /** When the next line is written, milliseconds since 1970. */
  get nowMs(): number {
    return this.timeMs;
  }

  /** The next line, RFC 5424. */
  next(): string {
    const { random } = this;
    this.timeMs += this.stepMs * 2 * random();
    const time = `${formatTimestamp(this.timeMs).slice(0, 23)}${String(Math.floor(random() * 1_000)).padStart(3, '0')}+00:00`;
    if (this.trace > 0) {
      this.trace--;
      return `<190>1 ${time} host app ${this.traceDyno} - -     at com.example.shop.${this.pick(FRAMES)}(${this.pick(RESOURCES)}.java:${this.int(400)})`;
    }
    const kind = random();
    if (kind < 0.4) return `<158>1 ${time} host heroku router - - ${this.routerLine()}`;
    const dyno = `${random() < 0.75 ? 'web' : 'worker'}.${1 + this.int(8)}`;
    if (kind < 0.68) return `<190>1 ${time} host app ${dyno} - - ${this.pairs()}`;
    if (kind < 0.94) return `<190>1 ${time} host app ${dyno} - - ${this.json(time)}`;
    if (kind < 0.95) {
      this.trace = 6;
      this.traceDyno = dyno;
      return `<190>1 ${time} host app ${dyno} - - java.lang.IllegalStateException: order ${this.int(1e6)} has no ${this.pick(WORDS)}`;
    }
    return `<190>1 ${time} host app ${dyno} - - ${this.pick(WORDS)} ${this.pick(WORDS)} of ${this.pick(RESOURCES)} took ${this.int(900)} ms after ${this.int(5)} attempts`;
  }

  private routerLine(): string {
    const status = this.pick(STATUSES);
    return `at=${status === 503 ? 'error code=H12 desc="Request timeout"' : 'info'} method=${this.pick(METHODS)} path="/${this.pick(RESOURCES)}/${this.int(2e5)}?page=${this.int(40)}" host=shop.example.com request_id=${this.uuid()} fwd="${this.address()}" dyno=web.${1 + this.int(8)} connect=${this.int(3)}ms service=${this.int(900)}ms status=${status} bytes=${this.int(60_000)} protocol=https`;
  }

  private pairs(): string {
    return `level=${this.level()} event=${this.pick(EVENTS)} request_id=${this.uuid()} user_id=${this.int(2e5)} controller=${this.pick(RESOURCES)} action=${this.pick(ACTIONS)} duration=${(this.random() * 300).toFixed(2)}ms status=${this.pick(STATUSES)}`;
  }

  private json(time: string): string {
    return `{"time":"${time}","level":"${this.level()}","msg":"${this.pick(WORDS)} ${this.pick(EVENTS)}","service":"${this.pick(RESOURCES)}","trace_id":"${this.hex(32)}","user":{"id":${this.int(2e5)},"ip":"${this.address()}"},"status":${this.pick(STATUSES)},"duration_ms":${this.int(900)}}`;
  }

  private level(): string {
    const one = this.random();
    return one < 0.9 ? 'info' : one < 0.97 ? 'warn' : 'error';
  }

  private uuid(): string {
    const hex = this.hex(32);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  private hex(digits: number): string {
    let text = '';
    for (let i = 0; i < digits; i += 8)
      text += Math.floor(this.random() * 4_294_967_296)
        .toString(16)
        .padStart(8, '0');
    return text;
  }

  private address(): string {
    return `${this.int(223)}.${this.int(255)}.${this.int(255)}.${this.int(255)}`;
  }

  private int(below: number): number {
    return Math.floor(this.random() * below);
  }

  private pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)];
  }
}

/** A batch of lines as a store has it, with the header offsets of each record. */
export function batchOfLines(lines: readonly string[]): { bytes: Buffer; count: number } {
  const size = lines.reduce((sum, line) => sum + RECORD_HEADER + Buffer.byteLength(line), HEADROOM);
  const bytes = Buffer.alloc(size);
  let at = HEADROOM;
  for (const line of lines) {
    const length = bytes.write(line, at + RECORD_HEADER);
    writeRecordHeader(bytes, at, length);
    at += RECORD_HEADER + length;
  }
  return { bytes, count: lines.length };
}

function writeRecordHeader(bytes: Buffer, at: number, length: number): void {
  const text = at + RECORD_HEADER;
  const space = (from: number): number => bytes.indexOf(0x20, from) + 1;
  const host = space(space(text));
  const source = space(host);
  const msgid = space(space(source));
  let message = space(msgid);
  if (bytes[message] === 0x5b) message = bytes.indexOf('] ', message) + 2;
  else message = space(message);
  bytes.writeUInt32LE(length, at);
  bytes[at + 4] = host - text;
  bytes.writeUInt16LE(source - text, at + 6);
  bytes.writeUInt16LE(msgid - text, at + 8);
  bytes.writeUInt16LE(message - text, at + 10);
}
