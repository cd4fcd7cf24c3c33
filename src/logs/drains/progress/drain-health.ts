/** How a drain is doing: what it is told, when the next attempt is, and what the app's stream is told of it. */

import { platformErrorTitle } from '../../../common/platform-errors.ts';
import { type DrainRecord, redactUrl } from '../options/drain-record.ts';
import { OutletError } from '../outlet.ts';
import { backoffMs } from './backoff.ts';
import type { LogToApp } from './drain-events.ts';
import { RateMeter } from './rate-meter.ts';

/** One failure in the app's stream in this time at the most, however often a drain breaks and recovers. */
const REPORT_INTERVAL_MS = 60_000;
/** A first failure that is tried again this soon isn't told: most are gone by then. */
const UNREPORTED_RETRY_MS = 1_000;

export interface DrainHealthOptions {
  readonly drain: DrainRecord;
  readonly logToApp: LogToApp;
  /** From 0 to 1. */
  readonly random: () => number;
}

export class DrainHealth {
  private readonly options: DrainHealthOptions;
  private readonly name: string;
  private readonly rateMeter = new RateMeter();
  private failedAttempts = 0;
  /** When the first of the failures since the last success was, and whether the app was told. */
  private failingSinceMs = 0;
  private isReported = false;
  private lastReportedAtMs = 0;
  private lastError: { message: string; at: string } | undefined;
  private lastAnswer: { answer: string; at: string; ms: number } | undefined;
  nextAttemptAtMs = 0;

  constructor(options: DrainHealthOptions) {
    this.options = options;
    this.name = `Drain '${options.drain.token}' (${redactUrl(options.drain.url)})`;
  }

  get isFailing(): boolean {
    return this.failedAttempts > 0;
  }

  /** The destination took a shipment of `count` lines. */
  recordSuccess(count: number, answer: string, ms: number, lagLines: number): void {
    this.rateMeter.add(count);
    this.setLastAnswer(answer, ms);
    this.failedAttempts = 0;
    if (!this.isReported) return;
    this.isReported = false;
    const forS = Math.round((Date.now() - this.failingSinceMs) / 1_000);
    this.options.logToApp(
      'recovery',
      `${this.name} accepts lines again after ${forS} s; ${lagLines} lines wait to be sent.`,
    );
  }

  /** The destination answered that it will never take some lines. */
  recordRefusal(message: string, ms: number): void {
    this.setLastError(message);
    this.setLastAnswer(message, ms);
    this.failedAttempts = 0;
  }

  /** An attempt failed, and is repeated at {@link nextAttemptAtMs}. */
  recordFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const now = Date.now();
    if (this.failedAttempts++ === 0) this.failingSinceMs = now;
    this.setLastError(message);
    const retryAfterMs = error instanceof OutletError ? error.retryAfterMs : undefined;
    const pauseMs = Math.max(backoffMs(this.failedAttempts, this.options.random()), retryAfterMs ?? 0);
    this.nextAttemptAtMs = now + pauseMs;
    const isCertificateError = error instanceof OutletError && error.isCertificateError;
    if (this.isReported || now - this.lastReportedAtMs < REPORT_INTERVAL_MS) return;
    if (this.failedAttempts === 1 && pauseMs < UNREPORTED_RETRY_MS && !isCertificateError) return;
    this.isReported = true;
    this.lastReportedAtMs = now;
    this.reportFailure(message, isCertificateError);
  }

  snapshot() {
    return {
      linesPerSecond: this.rateMeter.perSecond(),
      lastError: this.lastError?.message,
      lastErrorAt: this.lastError?.at,
      lastAnswer: this.lastAnswer?.answer,
      lastAnswerAt: this.lastAnswer?.at,
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
    this.lastAnswer = { answer, at: new Date().toISOString(), ms: Math.round(ms) };
  }
}
