import { TailraceError } from '../../../common/errors.ts';

/** Bodies of all requests together, read or being read. */
const BODIES_BYTES_MAX = 256_000_000;

/** Limits what the bodies of requests take in memory, however many come at once. */
export class BodyMemory {
  private readonly bytesMax: number;
  private bytes = 0;

  constructor(bytesMax = BODIES_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /**
   * Another body may be read.
   * @throws TailraceError `unavailable`
   */
  assertSpace(): void {
    if (this.bytes >= this.bytesMax) throw tooManyBodies();
  }

  /** For one request, which has to {@link BodyReservation.release} it. */
  reserve(): BodyReservation {
    return new BodyReservation((bytes) => {
      if (bytes > 0 && this.bytes + bytes > this.bytesMax) throw tooManyBodies();
      this.bytes += bytes;
    });
  }
}

/** What the body of one request takes. */
export class BodyReservation {
  private readonly change: (bytes: number) => void;
  private bytes = 0;

  constructor(change: (bytes: number) => void) {
    this.change = change;
  }

  /** @throws TailraceError `unavailable` when there is no space for more. */
  add(bytes: number): void {
    this.change(bytes);
    this.bytes += bytes;
  }

  /** Gives back all that was added; it may be called twice. */
  release(): void {
    this.change(-this.bytes);
    this.bytes = 0;
  }
}

function tooManyBodies(): TailraceError {
  return new TailraceError('unavailable', 'Too many large requests come at once: try again in a moment.');
}
