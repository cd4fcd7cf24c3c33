import type { Reader } from '../store/reader.ts';

/** Pauses between rounds are no longer than this: a tail should feel live with a thousand others beside it. */
const PAUSE_MAX_MS = 50;
/** Shorter pauses are not worth a timer. */
const PAUSE_MIN_MS = 1;

/**
 * Tells all tails of a stream that it has grown: at once while that costs little; with many tails on a busy stream, after a
 * pause as long as the last round took. Lines gather meanwhile and go out together, and half of the processor is left for
 * lines coming in.
 */
class Pulse {
  private readonly reader: Reader;
  private readonly members = new Set<() => void>();
  private leave: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private endedMs = 0;
  private tookMs = 0;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  get memberCount(): number {
    return this.members.size;
  }

  join(member: () => void): () => void {
    this.members.add(member);
    this.leave ??= this.reader.onGrow(() => this.grown());
    return () => {
      this.members.delete(member);
      if (this.members.size > 0) return;
      clearTimeout(this.timer);
      this.timer = undefined;
      this.leave?.();
      this.leave = undefined;
    };
  }

  private grown(): void {
    if (this.timer) return;
    const pauseMs = this.endedMs + Math.min(this.tookMs, PAUSE_MAX_MS) - performance.now();
    if (pauseMs < PAUSE_MIN_MS) this.round();
    else this.timer = setTimeout(() => this.round(), pauseMs);
  }

  private round(): void {
    this.timer = undefined;
    const startedMs = performance.now();
    for (const member of this.members) member();
    this.endedMs = performance.now();
    this.tookMs = this.endedMs - startedMs;
  }
}

const pulses = new WeakMap<Reader, Pulse>();

/** Calls `grown` when there is something new in a stream, until the returned function is called. */
export function onPulse(reader: Reader, grown: () => void): () => void {
  let pulse = pulses.get(reader);
  if (!pulse) {
    pulse = new Pulse(reader);
    pulses.set(reader, pulse);
  }
  return pulse.join(grown);
}

/** Is there more than one tail of a stream? Then it is worth while to remember what was written for one of them. */
export function hasCompany(reader: Reader): boolean {
  return (pulses.get(reader)?.memberCount ?? 0) > 1;
}
