/**
 * How old things in the store are, whatever becomes of the system's clock: that may be set back or forward while the store is open, and
 * while it isn't. Batches have stamps of that clock, since people ask for lines by it; what is done after a while is done by time that
 * has really passed.
 */
import { uptime } from 'node:os';
import { readBootId } from '../../../common/processes/boot-id.ts';

/** The system's clock was set when it is this far from where it should be. */
const STEP_MS = 1_000;
/** A stamp may be this far outside of the time in which it was given. */
const STAMP_SLACK_MS = 2 * STEP_MS;
/** Steps that are remembered at the most. */
const STEPS_MAX = 64;

/** What the system says of the time, in milliseconds. */
export interface TimeSources {
  /** Since 1970, as the system's clock says. */
  readonly wall: () => number;
  /** On a clock that is never set; it may stand still while the machine sleeps. */
  readonly monotonic: () => number;
  /** Since the machine was started, with its sleep. */
  readonly uptime: () => number;
  /** Which start of the machine it was; '' where that isn't known. */
  readonly bootId: string;
}

/** From `fromMs` of the store's clock on the system's clock was `offsetMs` ahead of it. */
interface ClockStep {
  readonly fromMs: number;
  readonly offsetMs: number;
}

/** The store's clock as it is kept in its records. */
export interface StoreClockRecord {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly uptimeMs: number;
  readonly bootId: string;
  /** Oldest first. */
  readonly steps: readonly ClockStep[];
}

/**
 * The store's clock: it began with the system's clock, is never set, and goes on over restarts. While the machine runs, the time between
 * two processes is known exactly; over a restart of the machine the system's clock has to be believed.
 */
export class StoreClock {
  /** Which start of the machine this is; '' where that isn't known. */
  readonly bootId: string;
  private readonly sources: TimeSources;
  /** The clock at a reading of the others. */
  private baseMs: number;
  private baseMonotonicMs: number;
  private baseUptimeMs: number;
  private readonly steps: ClockStep[];
  private offsetMs: number;
  /** Something must be saved soon: without the step, what is young looks old after a restart. */
  onStep: () => void = () => {};

  constructor(saved: StoreClockRecord | undefined, sources: TimeSources = systemTimeSources()) {
    this.sources = sources;
    const { bootId } = sources;
    this.bootId = bootId;
    const wallMs = sources.wall();
    this.baseMonotonicMs = sources.monotonic();
    this.baseUptimeMs = sources.uptime();
    this.baseMs = saved ? saved.nowMs + passedSince(saved, wallMs, this.baseUptimeMs, bootId) : wallMs;
    this.steps = saved ? [...saved.steps] : [];
    this.offsetMs = this.steps.at(-1)?.offsetMs ?? wallMs - this.baseMs;
    if (this.steps.length === 0) this.steps.push({ fromMs: this.baseMs, offsetMs: this.offsetMs });
    this.noticeStep(wallMs, this.baseMs);
  }

  /** Milliseconds; never less than before, also in another process. */
  now(): number {
    return this.baseMs + this.sources.monotonic() - this.baseMonotonicMs;
  }

  /** The system's time, milliseconds since 1970, for the stamp of a batch. */
  stamp(): number {
    const wallMs = this.sources.wall();
    const nowMs = this.now();
    if (Math.abs(wallMs - nowMs - this.offsetMs) > STEP_MS) {
      this.adjust();
      this.noticeStep(wallMs, this.now());
    }
    return wallMs;
  }

  /** How long ago a stamp was given, milliseconds; of several times that it may stand for, since the clock was set back, the latest. */
  ageOf(stampMs: number): number {
    const nowMs = this.now();
    let endMs = nowMs;
    for (let i = this.steps.length - 1; i >= 0; i--) {
      const { fromMs, offsetMs } = this.steps[i];
      const givenMs = stampMs - offsetMs;
      const isAfterBegin = i === 0 || givenMs >= fromMs - STAMP_SLACK_MS;
      if (isAfterBegin && givenMs <= endMs + STAMP_SLACK_MS) return nowMs - givenMs;
      endMs = fromMs;
    }
    // Nobody knows when, as of a stamp in the future.
    return Math.max(0, nowMs - (stampMs - this.offsetMs));
  }

  /** What has to be known after a restart. Call it now and then: it also counts the time that the machine slept. */
  save(): StoreClockRecord {
    this.adjust();
    this.stamp();
    const { bootId, wall } = this.sources;
    return {
      nowMs: this.now(),
      wallMs: wall(),
      uptimeMs: this.baseUptimeMs,
      bootId,
      steps: this.steps,
    };
  }

  /** Steps that ended so long ago are forgotten. */
  forgetBefore(ageMs: number): void {
    const beforeMs = this.now() - ageMs;
    while (this.steps.length > 1 && (this.steps[1].fromMs < beforeMs || this.steps.length > STEPS_MAX))
      this.steps.shift();
  }

  private adjust(): void {
    const { monotonic, uptime: uptimeMs } = this.sources;
    const monotonicMs = monotonic();
    const upMs = uptimeMs();
    const sleptMs = upMs - this.baseUptimeMs - (monotonicMs - this.baseMonotonicMs);
    this.baseMs += monotonicMs - this.baseMonotonicMs + (sleptMs > STEP_MS ? sleptMs : 0);
    this.baseMonotonicMs = monotonicMs;
    this.baseUptimeMs = upMs;
  }

  private noticeStep(wallMs: number, nowMs: number): void {
    const offsetMs = wallMs - nowMs;
    if (Math.abs(offsetMs - this.offsetMs) <= STEP_MS) return;
    this.offsetMs = offsetMs;
    this.steps.push({ fromMs: nowMs, offsetMs });
    this.forgetBefore(Number.POSITIVE_INFINITY);
    this.onStep();
  }
}

/** How much time has passed since the record was written. */
function passedSince(saved: StoreClockRecord, wallMs: number, uptimeMs: number, bootId: string): number {
  const isSameStart = bootId !== '' && bootId === saved.bootId && uptimeMs >= saved.uptimeMs;
  return isSameStart ? uptimeMs - saved.uptimeMs : Math.max(0, wallMs - saved.wallMs);
}

function systemTimeSources(): TimeSources {
  return {
    wall: Date.now,
    monotonic: () => performance.now(),
    uptime: () => uptime() * 1_000,
    bootId: readBootId(),
  };
}
