/** A drain's health: its last response and error, when it is retried, and what of that is reported in the app's stream. */

import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { platformErrorTitle } from '../../../common/platform-errors.ts';
import { errorMessage } from '../../../common/text/error-message.ts';
import { type DrainRecord, redactUrl } from '../options/drain-record.ts';
import { OutletError } from '../outlet.ts';
import type { LogToApp } from './drain-events.ts';
import { RateMeter } from './rate-meter.ts';

/** At most one failure is reported in the app's stream in this time, however often a drain fails and recovers. */
const REPORT_INTERVAL_MS = 60_000;
/** A first failure that is retried this soon isn't reported: most succeed then. */
const UNREPORTED_RETRY_MS = 1_000;
/** Pauses before a shipment is sent again. */
const RETRY: BackoffRange = { firstMs: 100, maxMs: 30_000 };

export interface DrainHealthOptions {
  readonly drain: DrainRecord;
  readonly logToApp: LogToApp;
  /** Gives numbers from 0 up to 1. */
  readonly random: () => number;
}

export class DrainHealth {
  private readonly options: DrainHealthOptions;
  private readonly name: string;
  private readonly rateMeter = new RateMeter();
  private failedAttempts = 0;
  /** Since the worker was started. */
  private failures = 0;
  /** When the first failure since the last success was, and whether it was reported; all times are on `performance.now`'s clock. */
  private failingSinceMs = 0;
  private isReported = false;
  private lastReportedAtMs = Number.NEGATIVE_INFINITY;
  private lastError: { message: string; at: string } | undefined;
  /** `atMs`: milliseconds since 1970. */
  private lastAnswer: { answer: string; atMs: number; ms: number } | undefined;
  private nextAttemptAtMs = 0;

  constructor(options: DrainHealthOptions) {
    this.options = options;
    this.name = `Drain '${options.drain.token}' (${redactUrl(options.drain.url)})`;
  }

  /** The last attempt failed, and its lines are sent again. */
  get isFailing(): boolean {
    return this.failedAttempts > 0;
  }

  /** Milliseconds until the next attempt. */
  get retryInMs(): number {
    return Math.max(0, this.nextAttemptAtMs - performance.now());
  }

  /** The destination accepted a shipment of `count` lines. */
  recordSuccess(count: number, answer: string, ms: number, lagLines: number): void {
    this.rateMeter.add(count);
    this.setLastAnswer(answer, ms);
    this.failedAttempts = 0;
    if (!this.isReported) return;
    this.isReported = false;
    const forS = Math.round((performance.now() - this.failingSinceMs) / 1_000);
    this.options.logToApp(
      'recovery',
      `${this.name} accepts lines again after ${forS} s; ${lagLines} lines wait to be sent.`,
    );
  }

  /** The destination refused some lines for good. */
  recordRefusal(message: string, ms: number): void {
    this.setLastError(message);
    this.setLastAnswer(message, ms);
    this.failedAttempts = 0;
  }

  /** An attempt failed, and is retried in {@link retryInMs}. */
  recordFailure(error: unknown): void {
    const message = errorMessage(error);
    const now = performance.now();
    this.failures++;
    if (this.failedAttempts++ === 0) this.failingSinceMs = now;
    this.setLastError(message);
    const retryAfterMs = error instanceof OutletError ? error.retryAfterMs : undefined;
    const pauseMs = Math.max(backoffMs(this.failedAttempts, RETRY, this.options.random), retryAfterMs ?? 0);
    this.nextAttemptAtMs = now + pauseMs;
    const isCertificateError = error instanceof OutletError && error.isCertificateError;
    if (this.isReported || now - this.lastReportedAtMs < REPORT_INTERVAL_MS) return;
    if (this.failedAttempts === 1 && pauseMs < UNREPORTED_RETRY_MS && !isCertificateError) return;
    this.isReported = true;
    this.lastReportedAtMs = now;
    this.reportFailure(message, isCertificateError);
  }

  /** Figures for the API: lines a second over ten seconds, `failures` since the worker was started, `lastAnswerMs` is how long it took. */
  snapshot() {
    return {
      linesPerSecond: this.rateMeter.perSecond(),
      failures: this.failures,
      lastError: this.lastError?.message,
      lastErrorAt: this.lastError?.at,
      lastAnswer: this.lastAnswer?.answer,
      lastAnswerAt: this.lastAnswer && new Date(this.lastAnswer.atMs).toISOString(),
      lastAnswerMs: this.lastAnswer?.ms,
    };
  }

  private reportFailure(message: string, isCertificateError: boolean): void {
    const { drain, logToApp } = this.options;
    if (isCertificateError) {
      const uri = redactUrl(drain.url);
      logToApp(
        'certificate',
        `${platformErrorTitle('L14')}: error="${message.replace(/"/g, "'")}" uri="${uri}"`,
      );
    } else
      logToApp(
        'failure',
        `${this.name} accepts no lines: ${message}. They are kept, as long as the stream holds them, and sent again.`,
      );
  }

  private setLastError(message: string): void {
    this.lastError = { message, at: new Date().toISOString() };
  }

  private setLastAnswer(answer: string, ms: number): void {
    this.lastAnswer = { answer, atMs: Date.now(), ms: Math.round(ms) };
  }
}
