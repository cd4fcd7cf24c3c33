/**
 * Whose lines they are, as far as it was found before: a cache from the bytes that the answer depends on (a token; a tag and a host; a
 * tag and the token in structured data) to the source that is written, and how. What is kept under a number of a scope (see
 * `wasm-codec.ts`) is true for as long as that number is used, and numbers are never used again: nothing has to be taken out.
 */
import { copy } from '../../../common/wasm/wasm-common.as';

/** Of the cache: a power of two. */
const SETS: u32 = 4_096;
const WAYS: u32 = 8;
/** `u64 hash | u32 scope | u16 key length | u8 form | u8 | u32 app | u16 source length | u16 dyno | key | source`. */
export const SLOT_BYTES: u32 = 192;
export const KEY_BYTES_MAX: u32 = 96;
const KEY: u32 = 24;
const SOURCE: u32 = 120;
const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;

/** Where the cache is, and the key that is looked up: set by `setUpOwners`. */
let cache: u32 = 0;
let key: u32 = 0;
/** The slot that is given away next, of a set without a free one. */
let victim: u32 = 0;
/** What `findOwner` looked for last. */
let wantedHash: u64 = 0;
let wantedScope: u32 = 0;
/** Bytes of the key. */
let wantedLength: u32 = 0;
/** The slot of the last token in APP-NAME, or 0: it comes line after line. */
let lastToken: u32 = 0;

export function setUpOwners(cacheAt: u32, keyAt: u32): void {
  cache = cacheAt;
  key = keyAt;
}

/**
 * The slot of the key of two parts (the second one may be empty), or 0: it isn't known, or too long, see {@link isKeyTooLong}.
 */
export function findOwner(scope: u32, first: u32, firstLength: u32, second: u32, secondLength: u32): u32 {
  const length = firstLength + 1 + secondLength;
  wantedLength = length;
  if (length > KEY_BYTES_MAX) return 0;
  copy(key, first, firstLength);
  store<u8>(key + firstLength, 0x20);
  copy(key + firstLength + 1, second, secondLength);
  store<u64>(key + length, 0);
  let hash: u64 = (<u64>scope + 1) * MULTIPLIER + length;
  for (let i: u32 = 0; i < length; i += 8) {
    hash = (hash ^ load<u64>(key + i)) * MULTIPLIER;
    hash ^= hash >> 32;
  }
  // Zero is a free slot's.
  if (hash == 0) hash = 1;
  wantedHash = hash;
  wantedScope = scope;
  let slot = setOf(hash);
  for (let way: u32 = 0; way < WAYS; way++) {
    if (
      load<u64>(slot) == hash &&
      load<u32>(slot, 8) == scope &&
      load<u16>(slot, 12) == length &&
      isEqual(slot + KEY, key, length)
    )
      return slot;
    slot += SLOT_BYTES;
  }
  return 0;
}

/** The key that was looked for last is longer than those that are kept. */
export function isKeyTooLong(): bool {
  return wantedLength > KEY_BYTES_MAX;
}

/** The slot of the token at `tag`, when it is the same as in the line before; or 0. */
export function sameToken(scope: u32, tag: u32, limit: u32): u32 {
  const slot = lastToken;
  if (slot == 0 || load<u32>(slot, 8) != scope) return 0;
  // The space between the parts of the key is the one behind the token.
  const length: u32 = load<u16>(slot, 12);
  return tag + length <= limit && isEqual(slot + KEY, tag, length) ? slot : 0;
}

/** The token at `slot` may come again. */
export function rememberToken(slot: u32): void {
  lastToken = slot;
}

/** Bytes of the token at `slot`. */
export function tokenLength(slot: u32): u32 {
  return load<u16>(slot, 12) - 1;
}

/**
 * Keeps the owner of the key that was looked for last; returns the number of its slot.
 *
 * @param source where the source's name is
 * @param dyno where in the tag the dyno's name begins
 */
export function remember(form: u32, app: u32, source: u32, sourceLength: u32, dyno: u32): u32 {
  const set = setOf(wantedHash);
  let way: u32 = 0;
  while (way < WAYS && load<u64>(set + way * SLOT_BYTES) != 0) way++;
  if (way == WAYS) way = victim++ & (WAYS - 1);
  const slot = set + way * SLOT_BYTES;
  if (slot == lastToken) lastToken = 0;
  store<u64>(slot, wantedHash);
  store<u32>(slot, wantedScope, 8);
  store<u16>(slot, wantedLength, 12);
  store<u8>(slot, form, 14);
  store<u32>(slot, app, 16);
  store<u16>(slot, sourceLength, 20);
  store<u16>(slot, dyno, 22);
  copy(slot + KEY, key, wantedLength);
  copy(slot + SOURCE, source, sourceLength);
  return (slot - cache) / SLOT_BYTES;
}

// What is kept of the owner in a slot.

export function formOf(slot: u32): u32 {
  return load<u8>(slot, 14);
}

export function appOf(slot: u32): u32 {
  return load<u32>(slot, 16);
}

export function sourceOf(slot: u32): u32 {
  return slot + SOURCE;
}

export function sourceLengthOf(slot: u32): u32 {
  return load<u16>(slot, 20);
}

export function dynoOf(slot: u32): u32 {
  return load<u16>(slot, 22);
}

export function numberOf(slot: u32): u32 {
  return (slot - cache) / SLOT_BYTES;
}

function setOf(hash: u64): u32 {
  return cache + (<u32>hash & (SETS - 1)) * WAYS * SLOT_BYTES;
}

/** Are `length` bytes the same? Eight at a time. */
export function isEqual(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  while (i + 8 <= length) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
    i += 8;
  }
  while (i < length) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
    i++;
  }
  return true;
}
