/**
 * The WebAssembly fast path for packing records. Compiled by `npm run build:wasm` (AssemblyScript) into `wasm-packing-binary.ts`; what it does
 * is defined by `packing.ts`.
 *
 * Memory is laid out by the caller (`wasm-packing.ts`). Reads and writes may run over the end of a region by up to 15 bytes.
 */
import { copy } from '../../../../common/wasm/wasm-common.as';
import {
  hostOffset,
  messageOffset,
  RECORD_HEADER,
  textLength,
} from '../../../syslog/wasm/wasm-record.as';

/** What every module says; this one leaves nothing over, and counts nothing. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

const SHARED_MAX: u32 = 127;
const OTHER_FIELDS: u32 = 128;
/** The offsets in a record's header, which is read from the first of them on, without the byte that is always 0. */
const FIELDS_AT: usize = 4;
const FIELDS: u64 = 0xffff_ffff_ffff_00ff;

/** Packs the records from `from` to `end` from `out` on, where there is room for as many bytes; `produced` is where they end. */
export function pack(from: u32, end: u32, out: u32): void {
  let at = out;
  // The line before: its record, 0 at first, and its text.
  let recordBefore: u32 = 0;
  let before: u32 = from;
  let lengthBefore: u32 = 0;
  for (let i = from; i < end; ) {
    const length = textLength(i);
    const text = i + RECORD_HEADER;
    const host = hostOffset(i);
    const message = messageOffset(i);
    const same =
      recordBefore != 0 &&
      ((load<u64>(i, FIELDS_AT) ^ load<u64>(recordBefore, FIELDS_AT)) & FIELDS) == 0 &&
      message >= host &&
      sharedBytes(text + host, before + host, message - host) == message - host;
    let limit = same ? host : length;
    if (limit > lengthBefore) limit = lengthBefore;
    if (limit > SHARED_MAX) limit = SHARED_MAX;
    const shared = sharedBytes(text, before, limit);

    store<u8>(at++, same ? shared : OTHER_FIELDS + shared);
    let rest = length;
    while (rest > 127) {
      store<u8>(at++, (rest & 127) | 128);
      rest >>= 7;
    }
    store<u8>(at++, rest);
    if (same) {
      if (host > shared) {
        copy(at, text + shared, host - shared);
        at += host - shared;
      }
      copy(at, text + message, length - message);
      at += length - message;
    } else {
      store<u8>(at++, host);
      store<u16>(at, load<u16>(i, 6));
      store<u32>(at, load<u32>(i, 8), 2);
      at += 6;
      copy(at, text + shared, length - shared);
      at += length - shared;
    }
    recordBefore = i;
    before = text;
    lengthBefore = length;
    i = text + length;
  }
  produced = at;
}

/** How many bytes are the same from two places on, `max` at the most. */
// @ts-ignore: decorator of AssemblyScript
@inline
function sharedBytes(one: u32, other: u32, max: u32): u32 {
  for (let i: u32 = 0; i < max; i += 16) {
    const differences = ~i8x16.bitmask(i8x16.eq(v128.load(one + i), v128.load(other + i))) & 0xffff;
    if (differences != 0) {
      const shared = i + <u32>ctz<i32>(differences);
      return shared < max ? shared : max;
    }
  }
  return max;
}
