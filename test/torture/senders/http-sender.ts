/** Sends numbered lines over HTTP, in one of its forms, each request again until it is answered with 2xx. */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { messageOf, pause, SentLines } from './numbered.ts';

const RETRY_MS = 100;
const TIMEOUT_MS = 12_000;
/** To be sent again: nobody takes it now; it didn't come whole, as a network stood still (RFC 9110 section 15.5.9). */
const FOR_NOW = [503, 408];
const LINES_MAX = 20;
/** So many of a hundred requests are of many lines, which a thread reads. */
const LARGE_PERCENT = 2;
const LARGE_LINES = 700;

export type HttpForm = 'logplex' | 'text' | 'ndjson' | 'json' | 'otlp';

export interface HttpSenderOptions {
  readonly name: string;
  readonly form: HttpForm;
  readonly token: string;
  /** Requests have names (`Logplex-Frame-Id`), so that none is stored twice. */
  readonly isNamed: boolean;
  /** What is answered with 503 isn't sent again. */
  readonly givesUp?: boolean;
  readonly gzip?: boolean;
  /** Addresses of the routers: one of them is asked each time. */
  readonly endpoints: readonly string[];
  readonly pauseMaxMs: number;
  readonly random: () => number;
}

export class HttpSender {
  readonly sent: SentLines;
  /** Requests that weren't answered with 2xx. */
  failures = 0;
  readonly violations: string[] = [];
  private readonly options: HttpSenderOptions;
  private isRunning = true;
  private readonly finished: Promise<void>;

  constructor(options: HttpSenderOptions) {
    this.options = options;
    this.sent = new SentLines(options.name);
    this.finished = this.run();
  }

  /** Resolves when the request on its way is answered. */
  async stop(): Promise<void> {
    this.isRunning = false;
    await this.finished;
  }

  private async run(): Promise<void> {
    const { random, pauseMaxMs } = this.options;
    while (this.isRunning) {
      const isLarge = random() * 100 < LARGE_PERCENT;
      await this.send(this.sent.take(isLarge ? LARGE_LINES : 1 + Math.floor(random() * LINES_MAX)));
      await pause(random() * pauseMaxMs);
    }
  }

  private async send(numbers: readonly number[]): Promise<void> {
    const { random, endpoints, isNamed, givesUp } = this.options;
    const frameId = randomUUID();
    const body = this.bodyOf(numbers);
    for (;;) {
      const status = await this.post(
        endpoints[Math.floor(random() * endpoints.length)],
        body,
        numbers.length,
        frameId,
      );
      if (status !== undefined && status >= 200 && status < 300) return this.sent.acknowledge(numbers);
      this.failures++;
      if (givesUp) {
        // Without an answer, nobody knows whether it was stored.
        const what = status === 503 ? this.sent.refused : this.sent.givenUp;
        for (const number of numbers) what.add(number);
        return;
      }
      // What was refused isn't stored; what had no answer may be.
      if (!isNamed && status === undefined) for (const number of numbers) this.sent.repeated.add(number);
      await pause(RETRY_MS);
    }
  }

  /** Undefined: no answer, or one that says that nobody knows yet. */
  private async post(
    endpoint: string,
    body: Buffer,
    count: number,
    frameId: string,
  ): Promise<number | undefined> {
    const { form, token, isNamed, gzip } = this.options;
    try {
      const answer = await fetch(`${endpoint}${form === 'otlp' ? '/v1/logs' : '/logs'}`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`token:${token}`)}`,
          'content-type': TYPES[form],
          ...(form === 'logplex' ? { 'logplex-msg-count': String(count) } : {}),
          ...(isNamed ? { 'logplex-frame-id': frameId } : {}),
          ...(gzip ? { 'content-encoding': 'gzip' } : {}),
        },
        body: new Uint8Array(gzip ? gzipSync(body) : body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await answer.text();
      if (!answer.ok && !FOR_NOW.includes(answer.status))
        this.violations.push(`${this.sent.name} (${form}) got ${answer.status} for good lines: ${text}`);
      return isUnknown(text) ? undefined : answer.status;
    } catch {
      return undefined;
    }
  }

  private bodyOf(numbers: readonly number[]): Buffer {
    const { token, form } = this.options;
    const messages = numbers.map((number) => messageOf(this.sent.name, number));
    switch (form) {
      case 'logplex':
        return Buffer.from(
          messages
            .map((text) => `<190>1 ${new Date().toISOString()} host ${token} web.1 - - ${text}\n`)
            .map((line) => `${Buffer.byteLength(line)} ${line}`)
            .join(''),
        );
      case 'text':
        return Buffer.from(`${messages.join('\n')}\n`);
      case 'ndjson':
        return Buffer.from(
          messages.map((message) => `${JSON.stringify({ message, level: 'info' })}\n`).join(''),
        );
      case 'json':
        return Buffer.from(JSON.stringify(messages.map((message) => ({ message }))));
      case 'otlp': {
        const logRecords = messages.map((stringValue) => ({ body: { stringValue } }));
        return Buffer.from(JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
      }
    }
  }
}

/** 503 with another sentence promises that nothing is stored. */
const isUnknown = (answer: string): boolean => answer.includes('may be stored all the same');

const TYPES: Readonly<Record<HttpForm, string>> = {
  logplex: 'application/logplex-1',
  text: 'text/plain',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  otlp: 'application/json',
};
