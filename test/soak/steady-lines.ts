/** Numbered lines at a steady rate over syslog TCP, and those who count them: each line carries when it was written. */
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { drained } from '../torture/senders/drained.ts';
import { pause } from '../torture/senders/numbered.ts';

const TICK_MS = 20;
const DIGITS = 13;
const FILLER = 'GET /orders/42 took 12 ms and answered with status 200';
/** `#<number>#<ms since 1970>#`, each with so many digits. */
const MARK_BYTES = 2 * DIGITS + 3;

const padded = (number: number): string => String(number).padStart(DIGITS, '0');

/** A line's frame up to its mark, and after it. */
function frameParts(token: string): readonly [head: Buffer, tail: Buffer] {
  const time = new Date().toISOString();
  const tail = `${FILLER}\n`;
  const head = `<190>1 ${time} host ${token} web.1 - - `;
  const length = head.length + MARK_BYTES + tail.length;
  return [Buffer.from(`${length} ${head}`), Buffer.from(tail)];
}

export class SteadySender {
  sent = 0;
  private readonly socket: Socket;
  private readonly rate: number;
  private readonly frame: Buffer;
  private readonly markAt: number;
  private isRunning = true;
  private readonly finished: Promise<void>;

  /** @param rate lines a second */
  constructor(port: number, token: string, rate: number) {
    this.rate = rate;
    const [head, tail] = frameParts(token);
    this.frame = Buffer.concat([head, Buffer.alloc(MARK_BYTES), tail]);
    this.markAt = head.length;
    this.socket = connect(port, '127.0.0.1');
    this.socket.resume();
    // A server that ends resets it; who samples the server tells.
    this.socket.on('error', () => (this.isRunning = false));
    this.finished = this.run();
  }

  /** Resolves when all that was sent is with the system. */
  async stop(): Promise<void> {
    this.isRunning = false;
    await this.finished;
    if (!this.socket.destroyed) await new Promise<void>((resolve) => this.socket.end(resolve));
  }

  private async run(): Promise<void> {
    const beganMs = performance.now();
    let due = 0;
    while (this.isRunning) {
      await pause(TICK_MS);
      const count = Math.floor(((performance.now() - beganMs) / 1_000) * this.rate) - due;
      if (count <= 0) continue;
      due += count;
      if (!this.socket.write(this.lines(count))) await drained(this.socket);
    }
  }

  private lines(count: number): Buffer {
    const { frame, markAt } = this;
    const bytes = Buffer.allocUnsafe(count * frame.length);
    const now = padded(Date.now());
    for (let i = 0; i < count; i++) {
      frame.copy(bytes, i * frame.length);
      bytes.write(`#${padded(++this.sent)}#${now}#`, i * frame.length + markAt, 'latin1');
    }
    return bytes;
  }
}

/** Counts lines, and looks at the first and the last of what comes together: were all of them there, once, and in order? */
export class LineCounter {
  received = 0;
  readonly violations: string[] = [];
  readonly name: string;
  private ages: number[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** @param count how many lines these bytes have, when somebody knows */
  take(bytes: Buffer, count?: number): void {
    const first = bytes.indexOf('#');
    const last = bytes.lastIndexOf('#') - (MARK_BYTES - 1);
    if (first < 0) return;
    const from = Number(bytes.toString('latin1', first + 1, first + 1 + DIGITS));
    const to = Number(bytes.toString('latin1', last + 1, last + 1 + DIGITS));
    const atMs = Number(bytes.toString('latin1', last + 2 + DIGITS, last + 2 + 2 * DIGITS));
    if (from !== this.received + 1 || (count !== undefined && to - from + 1 !== count))
      this.complain(`${this.name}: after ${this.received} came ${from} to ${to}, ${count ?? '?'} lines`);
    this.received = to;
    this.ages.push(Date.now() - atMs);
  }

  /** How old lines were when they came, ms, of all since the last time it was asked. */
  takeAges(): readonly number[] {
    const { ages } = this;
    this.ages = [];
    return ages.sort((a, b) => a - b);
  }

  private complain(text: string): void {
    if (this.violations.length < 5) this.violations.push(text);
  }
}

/** The destination of a drain. */
export class CountingSink {
  readonly counter: LineCounter;
  private readonly server: HttpServer;

  private constructor(server: HttpServer, counter: LineCounter) {
    this.server = server;
    this.counter = counter;
  }

  static async open(name: string): Promise<CountingSink> {
    const counter = new LineCounter(name);
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        counter.take(Buffer.concat(chunks), Number(request.headers['logplex-msg-count']));
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CountingSink(server, counter);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A tail that reads everything. */
export class CountingTail {
  readonly counter = new LineCounter('tail');
  private readonly socket: WebSocket;
  private readonly isOpen: Promise<void>;

  constructor(url: string, key: string) {
    this.socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
    this.isOpen = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.socket.on('message', (data: Buffer) => this.counter.take(data));
  }

  opened(): Promise<void> {
    return this.isOpen;
  }

  close(): void {
    this.socket.terminate();
  }
}
