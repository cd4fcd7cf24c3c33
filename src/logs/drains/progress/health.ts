/** How a drain is doing: what it is told, when the next attempt is, and what the app's stream is told of it. */

import { type DrainRecord, redactUrl } from '../options/drain.ts';
import { OutletError } from '../outlet.ts';
import { backoffMs } from './backoff.ts';
import { Rate } from './rate.ts';
import type { TellApp } from './tidings.ts';

/** One failure in the app's stream in this time at the most, however often a drain breaks and recovers. */
const TELL_MS = 60_000;
/** A first failure that is tried again this soon isn't told: most are gone by then. */
const PROMPT_MS = 1_000;

export interface HealthOptions {
  readonly drain: DrainRecord;
  readonly tellApp: TellApp;
  /** From 0 to 1. */
  readonly random: () => number;
}

export class Health {
  private readonly options: HealthOptions;
  private readonly name: string;
  private readonly rate = new Rate();
  private attempt = 0;
  /** When the first of the failures since the last success was, and whether the app was told. */
  private failingSinceMs = 0;
  private told = false;
  private toldAtMs = 0;
  private lastError: { message: string; at: string } | undefined;
  private lastAnswer: { answer: string; at: string; ms: number } | undefined;
  nextAttemptMs = 0;

  constructor(options: HealthOptions) {
    this.options = options;
    this.name = `Drain '${options.drain.token}' (${redactUrl(options.drain.url)})`;
  }

  get isFailing(): boolean {
    return this.attempt > 0;
  }

  /** The destination took a shipment of `count` lines. */
  accepted(count: number, answer: string, ms: number, lagLines: number): void {
    this.rate.add(count);
    this.answered(answer, ms);
    this.attempt = 0;
    if (!this.told) return;
    this.told = false;
    const forS = Math.round((Date.now() - this.failingSinceMs) / 1_000);
    this.options.tellApp(
      'recovery',
      `${this.name} accepts lines again after ${forS} s; ${lagLines} lines wait to be sent.`,
    );
  }

  /** The destination answered that it will never take some lines. */
  refused(message: string, ms: number): void {
    this.note(message);
    this.answered(message, ms);
    this.attempt = 0;
  }

  /** An attempt failed, and is repeated at {@link nextAttemptMs}. */
  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const now = Date.now();
    if (this.attempt++ === 0) this.failingSinceMs = now;
    this.note(message);
    const asked = error instanceof OutletError ? error.retryAfterMs : undefined;
    const pauseMs = Math.max(backoffMs(this.attempt, this.options.random()), asked ?? 0);
    this.nextAttemptMs = now + pauseMs;
    const certificate = error instanceof OutletError && error.certificate;
    if (this.told || now - this.toldAtMs < TELL_MS) return;
    if (this.attempt === 1 && pauseMs < PROMPT_MS && !certificate) return;
    this.told = true;
    this.toldAtMs = now;
    this.tellFailure(message, certificate);
  }

  describe() {
    return {
      linesPerSecond: this.rate.perSecond(),
      lastError: this.lastError?.message,
      lastErrorAt: this.lastError?.at,
      lastAnswer: this.lastAnswer?.answer,
      lastAnswerAt: this.lastAnswer?.at,
      lastAnswerMs: this.lastAnswer?.ms,
    };
  }

  private tellFailure(message: string, certificate: boolean): void {
    const { drain, tellApp } = this.options;
    if (certificate) {
      const uri = redactUrl(drain.url);
      tellApp(
        'certificate',
        `Error L14 (certificate validation): error="${message.replace(/"/g, "'")}" uri="${uri}"`,
      );
    } else
      tellApp(
        'failure',
        `${this.name} accepts no lines: ${message}. They are kept, as long as the stream holds them, and sent again.`,
      );
  }

  private note(message: string): void {
    this.lastError = { message, at: new Date().toISOString() };
  }

  private answered(answer: string, ms: number): void {
    this.lastAnswer = { answer, at: new Date().toISOString(), ms: Math.round(ms) };
  }
}
