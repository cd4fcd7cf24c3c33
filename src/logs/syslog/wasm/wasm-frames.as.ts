/** Writes records as frames: what `encode.ts` and `heroku-frames.ts` do of most lines. */

import { copy, writeCount } from '../../../common/wasm/wasm-common.as';
import {
  hostOffset,
  messageOffset,
  msgidOffset,
  RECORD_HEADER,
  sourceOffset,
  textLength,
} from './wasm-record.as';

/** Of Heroku's form, without the count. */
const FRAME_BYTES_MAX: u32 = 10_240;

/**
 * Encodes `count` records from `from` on as octet-counted frames from `out` on; returns the new end. `head` are the bytes
 * written as HOSTNAME and the space after it; with `heroku`, MSGID is `-` and structured data is left out, with
 * `keepHost` HOSTNAME stays the sender's. Returns 0 for what `heroku-frames.ts` has to split: in Heroku's form a frame that is too
 * long, and with `singleLine` a message with a newline in it.
 */
export function write(
  from: u32,
  count: u32,
  out: u32,
  head: u32,
  headLength: u32,
  heroku: bool,
  keepHost: bool,
  singleLine: bool,
): u32 {
  let i = from;
  let at = out;
  for (let line: u32 = 0; line < count; line++) {
    const length = textLength(i);
    const host = hostOffset(i);
    const source = sourceOffset(i);
    const record = i;
    const text = i + RECORD_HEADER;
    i = text + length;
    if (heroku) {
      const msgid = msgidOffset(record);
      const message = messageOffset(record);
      const frame = host + headLength + (msgid - source) + 2 + (length - message) + 1;
      if (frame > FRAME_BYTES_MAX) return 0;
      at = writeCount(frame, at);
      copy(at, text, host);
      at += host;
      copy(at, head, headLength);
      at += headLength;
      copy(at, text + source, msgid - source);
      at += msgid - source;
      store<u16>(at, 0x202d);
      at += 2;
      if (copyMessage(at, text + message, length - message) && singleLine) return 0;
      at += length - message;
    } else {
      const rest = keepHost ? host : source;
      const hostLength: u32 = keepHost ? 0 : headLength;
      at = writeCount(host + hostLength + (length - rest) + 1, at);
      copy(at, text, host);
      at += host;
      copy(at, head, hostLength);
      at += hostLength;
      copy(at, text + rest, length - rest);
      at += length - rest;
    }
    store<u8>(at, 0x0a);
    at++;
  }
  return at;
}

/** Copies a message as `copy` does. Is there a newline in it? */
function copyMessage(to: u32, from: u32, length: u32): bool {
  const newline = i8x16.splat(0x0a);
  let found = i8x16.splat(0);
  let i: u32 = 0;
  for (; i + 16 <= length; i += 16) {
    const bytes = v128.load(from + i);
    v128.store(to + i, bytes);
    found = v128.or(found, i8x16.eq(bytes, newline));
  }
  const rest = length - i;
  if (rest > 0) {
    const bytes = v128.load(from + i);
    v128.store(to + i, bytes);
    if (i8x16.bitmask(i8x16.eq(bytes, newline)) & ((1 << rest) - 1)) return true;
  }
  return v128.any_true(found);
}

