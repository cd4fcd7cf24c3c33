/** Where frames begin and end: what `framing.ts` finds of most of them. */
import { LESS_THAN, NEWLINE, RETURN, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { findLineEnd } from './wasm-header.as';
import { MESSAGE_BYTES_MAX } from './wasm-record.as';

export const HEADER_BYTES_MAX: u32 = 8_192;

/** Framings: what is at the beginning of a frame, or at its end; there is a third, of lines that end with NULs. */
const COUNTED: u32 = 0;
const NEWLINES: u32 = 1;

/** What becomes of a frame, and so why `take` stops. The input ends in the middle of it. */
export const PARTIAL: u32 = 0;
/** It is not supported here. */
export const UNSUPPORTED: u32 = 1;
/** Its record doesn't fit into the output. */
export const FULL: u32 = 2;
/** The owner of its line isn't known. */
export const UNKNOWN_OWNER: u32 = 3;
/** The minute of its line isn't known. */
export const UNKNOWN_TIME: u32 = 4;
/** It was read so far: nothing to stop at. */
export const READ: u32 = 5;

/** The line in the frame that was found, and where the next frame begins. */
export let frameStart: u32 = 0;
export let frameStop: u32 = 0;
export let frameEnd: u32 = 0;

/** Finds the frame at `at`, of input that ends at `end`. */
export function findFrame(at: u32, end: u32, framing: u32): u32 {
  return framing == COUNTED ? findCountedFrame(at, end) : findEndedFrame(at, end, framing);
}

function findCountedFrame(at: u32, end: u32): u32 {
  let i = at;
  let byte: u32 = load<u8>(i);
  if (byte < 0x31 || byte > 0x39) return UNSUPPORTED;
  let length = byte - 0x30;
  let digits: u32 = 1;
  i++;
  while (i < end) {
    byte = load<u8>(i);
    if (byte < 0x30 || byte > 0x39 || digits > 5) break;
    length = length * 10 + (byte - 0x30);
    digits++;
    i++;
  }
  if (i >= end) return PARTIAL;
  if (byte != SPACE || length > MESSAGE_BYTES_MAX + HEADER_BYTES_MAX) return UNSUPPORTED;
  const start = i + 1;
  const stop = start + length;
  // The header may already show that this is no frame at all; the JavaScript path decides that.
  if (stop > end) return start < end && load<u8>(start) != LESS_THAN ? UNSUPPORTED : PARTIAL;
  frameStart = start;
  frameStop = stop;
  frameEnd = stop;
  return READ;
}

function findEndedFrame(at: u32, end: u32, framing: u32): u32 {
  if (load<u8>(at) != LESS_THAN) return UNSUPPORTED;
  const stop = findLineEnd(at, end);
  if (stop >= end) return PARTIAL;
  // Whether the other trailer ends this line depends on what is behind it.
  if (load<u8>(stop) != (framing == NEWLINES ? NEWLINE : 0)) return UNSUPPORTED;
  frameStart = at;
  frameStop = framing == NEWLINES && load<u8>(stop - 1) == RETURN ? stop - 1 : stop;
  frameEnd = stop + 1;
  return READ;
}
