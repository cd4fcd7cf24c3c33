/**
 * Octet counting (RFC 6587, 3.4.1): `<length in bytes> <message>`, one after the other with nothing in between. Splits a
 * whole body into views of it, or returns its error: half a body is never accepted.
 */

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const DIGITS_MAX = 9;

/** Frames of a few bytes each would cost far more memory than the body they came in. */
export const DRAIN_FRAMES_MAX = 250_000;

export type SplitResult = { frames: Buffer[] } | { error: 'malformed' | 'too many'; atByte: number };

/** The frames of a request of a drain, as parts of its body. */
export function splitCountedFrames(body: Buffer): SplitResult {
  const frames: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    if (frames.length === DRAIN_FRAMES_MAX) return { error: 'too many', atByte: at };
    let length = 0;
    let from = at;
    while (from < body.length && from - at < DIGITS_MAX && body[from] >= ZERO && body[from] <= NINE) {
      length = length * 10 + body[from] - ZERO;
      from++;
    }
    // A length has no leading zero, so an empty frame is malformed as well.
    const isCounted = from > at && body[at] !== ZERO && body[from] === SPACE;
    if (!isCounted || length > body.length - from - 1) return { error: 'malformed', atByte: at };
    frames.push(body.subarray(from + 1, from + 1 + length));
    at = from + 1 + length;
  }
  return { frames };
}
