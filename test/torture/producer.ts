import { randomUUID } from 'node:crypto';
import type { ProducerRecord } from './delivery-check.ts';

/** The pause before rejected lines are sent again. */
const RETRY_MS = 50;
const TIMEOUT_MS = 10_000;
/** The longest pause between requests: the point is correctness, not throughput. */
const PAUSE_MAX_MS = 60;

/** Where a producer may send to: the routers that run at the moment. */
export type Endpoints = () => readonly string[];

/** Sends numbered lines, a few at a time, each request again until it is acknowledged, through any router. */
export class TortureProducer implements ProducerRecord {
  readonly producer: string;
  readonly sendsFrameIds: boolean;
  readonly acknowledged: number[] = [];
  rejections = 0;
  private readonly token: string;
  private readonly endpoints: Endpoints;
  private readonly random: () => number;
  private running = true;
  private next = 1;
  private readonly finished: Promise<void>;

  constructor(
    producer: string,
    token: string,
    sendsFrameIds: boolean,
    endpoints: Endpoints,
    random: () => number,
  ) {
    this.producer = producer;
    this.token = token;
    this.sendsFrameIds = sendsFrameIds;
    this.endpoints = endpoints;
    this.random = random;
    this.finished = this.run();
  }

  /** Resolves when the request in flight is acknowledged. */
  async stop(): Promise<void> {
    this.running = false;
    await this.finished;
  }

  private async run(): Promise<void> {
    while (this.running) {
      const count = 1 + Math.floor(this.random() * 20);
      const numbers = Array.from({ length: count }, () => this.next++);
      await this.send(numbers);
      this.acknowledged.push(...numbers);
      await pause(this.random() * PAUSE_MAX_MS);
    }
  }

  private async send(numbers: readonly number[]): Promise<void> {
    const frameId = randomUUID();
    const body = numbers.map((number) => this.frame(number)).join('');
    for (;;) {
      const endpoints = this.endpoints();
      const endpoint = endpoints[Math.floor(this.random() * endpoints.length)];
      try {
        if (endpoint !== undefined && (await this.post(endpoint, body, numbers.length, frameId))) return;
      } catch {
        // Killed in the middle: whether it was stored isn't known.
      }
      this.rejections++;
      await pause(RETRY_MS);
    }
  }

  private async post(endpoint: string, body: string, count: number, frameId: string): Promise<boolean> {
    const answer = await fetch(`${endpoint}/logs`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`token:${this.token}`)}`,
        'content-type': 'application/logplex-1',
        'logplex-msg-count': String(count),
        ...(this.sendsFrameIds ? { 'logplex-frame-id': frameId } : {}),
      },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.arrayBuffer();
    return answer.status === 204;
  }

  private frame(number: number): string {
    const line = `<190>1 ${new Date().toISOString()} host ${this.token} web.1 - - ${this.producer} ${number}\n`;
    return `${Buffer.byteLength(line)} ${line}`;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
