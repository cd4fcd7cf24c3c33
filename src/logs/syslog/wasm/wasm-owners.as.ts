/**
 * Whose lines they are, as far as it was found before: a cache from the bytes that the answer depends on (a token; a tag and a host; a
 * tag and the token in structured data) to the source that is written, and how. What is kept under a number of a scope (see
 * `wasm-codec.ts`) is true for as long as that number is used, and numbers are never used again: nothing has to be taken out.
 *
 * Many tokens in use are more than a processor's first caches hold, so a look-up touches few lines of memory: that of a set, with the fingerprints
 * and the numbers of its slots, and the beginning of one slot. Slots are given away one behind the other: at places that follow from the set they were
 * 2 KiB apart, and of a cache only those of its sets were used that such addresses have. The names of sources, which are few, have a table of
 * their own.
 */
import { copy } from '../../../common/wasm/wasm-common.as';

/** Of the cache: a power of two. A set is one line of the processor's cache; with fewer ways ten thousand tokens overflow some sets. */
const SETS: u32 = 2_048;
const WAYS: u32 = 16;
/** A way: the fingerprint of the key, and in the lower bits the number of its slot, of `SETS * WAYS`; 0 when it is free. */
const WAY_BYTES: u32 = 4;
const NUMBER_MASK: u32 = SETS * WAYS - 1;
/** Of each fingerprint, which is 0 for none. */
const FINGERPRINT_MARK: u32 = 0x8000_0000;
/** `u32 scope | u16 key length | u8 form | u8 | u32 app | u32 source | u16 dyno | … | key` */
const SLOT_BYTES: u32 = 128;
const KEY: u32 = 24;
const KEY_BYTES_MAX: u32 = 96;
/** Of the table of sources: `u32 length | … | name`. */
const SOURCE_BYTES: u32 = 80;
const SOURCE_NAME: u32 = 16;
const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;
/** Even, so that all weights are odd. */
const WEIGHT_STEP: u64 = 0xbf58476d1ce4e5ba;

/** Where everything is, and the key that is looked up: set by `setUpOwners`. */
let sets: u32 = 0;
let slots: u32 = 0;
let sources: u32 = 0;
let key: u32 = 0;
/** The way that is given away next, of a set without a free one. */
let victim: u32 = 0;
/** Slots that were given away. */
let usedSlots: u32 = 0;
/** What was looked for last. */
let wantedSet: u32 = 0;
let wantedFingerprint: u32 = 0;
let wantedScope: u32 = 0;
/** Bytes of the key, which is at `key` unless it was found. */
let wantedLength: u32 = 0;
/** The slot of the last token in APP-NAME, or 0: it comes line after line. */
let lastToken: u32 = 0;

export function setUpOwners(setsAt: u32, slotsAt: u32, sourcesAt: u32, keyAt: u32): void {
  sets = setsAt;
  slots = slotsAt;
  sources = sourcesAt;
  key = keyAt;
}

/** Forgets all of it. */
export function forgetOwners(): void {
  memory.fill(sets, 0, SETS * WAYS * WAY_BYTES);
  usedSlots = 0;
  lastToken = 0;
}

/**
 * The slot of the key of two parts (the second one may be empty), or 0: it isn't known, or too long, see {@link isKeyTooLong}.
 */
export function findOwner(scope: u32, first: u32, firstLength: u32, second: u32, secondLength: u32): u32 {
  const length = firstLength + 1 + secondLength;
  if (length > KEY_BYTES_MAX) {
    wantedLength = length;
    return 0;
  }
  copy(key, first, firstLength);
  store<u8>(key + firstLength, 0x20);
  copy(key + firstLength + 1, second, secondLength);
  return findKey(scope, key, length);
}

/** The same of a key of one part, with a space behind it where it stands, which is read there: a token in APP-NAME. */
export function findWord(scope: u32, word: u32, wordLength: u32): u32 {
  const length = wordLength + 1;
  if (length > KEY_BYTES_MAX) {
    wantedLength = length;
    return 0;
  }
  return findKey(scope, word, length);
}

/** @param at its bytes, behind which up to seven more are read */
function findKey(scope: u32, at: u32, length: u32): u32 {
  wantedLength = length;
  wantedScope = scope;
  // Each part with a weight of its own: the processor multiplies several at a time.
  let hash: u64 = (<u64>scope + 1) * MULTIPLIER + length;
  let weight = MULTIPLIER;
  const whole = length & ~7;
  for (let i: u32 = 0; i < whole; i += 8) {
    const product = load<u64>(at + i) * weight;
    hash += product ^ (product >> 32);
    weight += WEIGHT_STEP;
  }
  // Of the last part there may be nothing.
  const product = (load<u64>(at + whole) & (((<u64>1) << ((length & 7) << 3)) - 1)) * weight;
  hash += product ^ (product >> 32);
  hash *= MULTIPLIER;
  hash ^= hash >> 32;
  const fingerprint: u32 = (<u32>(hash >> 32) | FINGERPRINT_MARK) & ~NUMBER_MASK;
  const set = sets + (<u32>hash & (SETS - 1)) * WAYS * WAY_BYTES;
  wantedSet = set;
  wantedFingerprint = fingerprint;
  const wanted = i32x4.splat(fingerprint);
  let found =
    fingerprintsAre(wanted, v128.load(set)) |
    (fingerprintsAre(wanted, v128.load(set, 16)) << 4) |
    (fingerprintsAre(wanted, v128.load(set, 32)) << 8) |
    (fingerprintsAre(wanted, v128.load(set, 48)) << 12);
  for (; found != 0; found &= found - 1) {
    const slot = slotOf(load<u32>(set + ctz<i32>(found) * WAY_BYTES));
    if (load<u32>(slot) == scope && load<u16>(slot, 4) == length && isEqual(slot + KEY, at, length)) return slot;
  }
  if (at != key) copy(key, at, length);
  return 0;
}

/** Bits of the ways whose fingerprint is the wanted one. */
function fingerprintsAre(wanted: v128, ways: v128): i32 {
  return i32x4.bitmask(i32x4.eq(v128.and(ways, i32x4.splat(~NUMBER_MASK)), wanted));
}

/** The slot of a way that isn't free. */
function slotOf(way: u32): u32 {
  return slots + (way & NUMBER_MASK) * SLOT_BYTES;
}

/** The key that was looked for last is longer than those that are kept. */
export function isKeyTooLong(): bool {
  return wantedLength > KEY_BYTES_MAX;
}

/** The slot of the token at `tag`, when it is the same as in the line before; or 0. */
export function sameToken(scope: u32, tag: u32, limit: u32): u32 {
  const slot = lastToken;
  if (slot == 0 || load<u32>(slot) != scope) return 0;
  // The space between the parts of the key is the one behind the token.
  const length: u32 = load<u16>(slot, 4);
  return tag + length <= limit && isEqual(slot + KEY, tag, length) ? slot : 0;
}

/** The token at `slot` may come again. */
export function rememberToken(slot: u32): void {
  lastToken = slot;
}

/** Bytes of the token at `slot`. */
export function tokenLength(slot: u32): u32 {
  return load<u16>(slot, 4) - 1;
}

/**
 * Keeps the owner of the key that was looked for last; returns the number of its slot.
 *
 * @param source number of its source in the table, see {@link nameSource}
 * @param dyno where in the tag the dyno's name begins
 */
export function remember(form: u32, app: u32, source: u32, dyno: u32): u32 {
  let way: u32 = 0;
  while (way < WAYS && load<u32>(wantedSet + way * WAY_BYTES) != 0) way++;
  const isFree = way < WAYS;
  if (!isFree) way = victim++ & (WAYS - 1);
  const at = wantedSet + way * WAY_BYTES;
  const number = isFree ? usedSlots++ : load<u32>(at) & NUMBER_MASK;
  store<u32>(at, wantedFingerprint | number);
  const slot = slots + number * SLOT_BYTES;
  if (slot == lastToken) lastToken = 0;
  store<u32>(slot, wantedScope);
  store<u16>(slot, wantedLength, 4);
  store<u8>(slot, form, 6);
  store<u32>(slot, app, 8);
  store<u32>(slot, source, 12);
  store<u16>(slot, dyno, 16);
  copy(slot + KEY, key, wantedLength);
  return number;
}

/** Gives a source's name, at `name`, a number. */
export function nameSource(number: u32, name: u32, length: u32): void {
  const at = sources + number * SOURCE_BYTES;
  store<u32>(at, length);
  memory.copy(at + SOURCE_NAME, name, length);
}

// What is kept of the owner in a slot.

export function formOf(slot: u32): u32 {
  return load<u8>(slot, 6);
}

export function appOf(slot: u32): u32 {
  return load<u32>(slot, 8);
}

export function sourceOf(slot: u32): u32 {
  return sources + load<u32>(slot, 12) * SOURCE_BYTES + SOURCE_NAME;
}

export function sourceLengthOf(slot: u32): u32 {
  return load<u32>(sources + load<u32>(slot, 12) * SOURCE_BYTES);
}

export function dynoOf(slot: u32): u32 {
  return load<u16>(slot, 16);
}

export function numberOf(slot: u32): u32 {
  return (slot - slots) / SLOT_BYTES;
}

/** Are `length` bytes the same? Eight at a time. */
export function isEqual(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  while (i + 8 <= length) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
    i += 8;
  }
  // The last eight, of which some were compared already.
  if (length >= 8) return load<u64>(a + length - 8) == load<u64>(b + length - 8);
  while (i < length) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
    i++;
  }
  return true;
}
