/**
 * Octet counting (RFC 6587, 3.4.1): `<length in bytes> <message>`, one after the other with nothing in between. Takes a
 * whole body, gives its frames as views into it, or what is wrong with it: half a body is never accepted.
 */

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const DIGITS_MAX = 9;

/** Frames of a few bytes each would cost far more memory than the body they came in. */
export const FRAME_COUNT_MAX = 250_000;

export type SplitResult = { frames: Buffer[] } | { problem: 'malformed' | 'too many'; atByte: number };

export function splitFrames(body: Buffer): SplitResult {
  const frames: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    if (frames.length === FRAME_COUNT_MAX) return { problem: 'too many', atByte: at };
    let length = 0;
    let from = at;
    while (from < body.length && from - at < DIGITS_MAX && body[from] >= ZERO && body[from] <= NINE) {
      length = length * 10 + body[from] - ZERO;
      from++;
    }
    // A length has no leading zero, so this also refuses an empty frame.
    const isCounted = from > at && body[at] !== ZERO && body[from] === SPACE;
    if (!isCounted || length > body.length - from - 1) return { problem: 'malformed', atByte: at };
    frames.push(body.subarray(from + 1, from + 1 + length));
    at = from + 1 + length;
  }
  return { frames };
}
