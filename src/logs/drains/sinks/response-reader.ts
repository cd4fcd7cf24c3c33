import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** What a destination answered. */
export interface DrainResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The beginning of the body. */
  readonly body: Buffer;
  /** When the status came, on the clock of `performance.now()`. */
  readonly atMs: number;
}

const EMPTY = Buffer.alloc(0);

/**
 * Reads the response to one request to its end, so that the connection can be used again. undici's `request` would make a stream of each:
 * most responses have a status and nothing else.
 */
export class ResponseReader implements Dispatcher.DispatchHandler {
  readonly finished: Promise<DrainResponse>;
  private readonly bytesMax: number;
  private resolve!: (response: DrainResponse) => void;
  private reject!: (error: Error) => void;
  private status = 0;
  private headers: IncomingHttpHeaders = {};
  private body = EMPTY;
  private atMs = 0;

  /** @param bytesMax of the body that are kept */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // One that only informs (1xx) isn't the last.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.atMs = performance.now();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const { body, bytesMax } = this;
    // The connection's memory is used again.
    if (body.length < bytesMax) this.body = Buffer.concat([body, chunk.subarray(0, bytesMax - body.length)]);
  }

  onResponseEnd(): void {
    this.finish();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    // Once the status has arrived, the rest of the response doesn't matter.
    if (this.status > 0) this.finish();
    else this.reject(error);
  }

  private finish(): void {
    const { status, headers, body, atMs } = this;
    this.resolve({ status, headers, body, atMs });
  }
}
