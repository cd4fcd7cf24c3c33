/** A refusal in the words of Sentry's servers: SDKs log them, and go by the status. */
export class SentryError extends Error {
  readonly status: number;
  /** Seconds to wait before more is sent. */
  readonly retryAfter: number | undefined;

  constructor(status: number, detail: string, retryAfter?: number) {
    super(detail);
    this.name = 'SentryError';
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
