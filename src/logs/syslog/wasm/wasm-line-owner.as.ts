/** Whose a line is, of those that are known (`wasm-owners.as.ts`), by its fields (`wasm-line-fields.as.ts`). */
import { READ, UNKNOWN_OWNER, UNSUPPORTED } from './wasm-framing.as';
import { host, hostBytes, noteToken, tag, tagBytes, token, tokenBytes, tokenSlot } from './wasm-line-fields.as';
import {
  appOf,
  findOwner,
  findWord,
  formOf,
  isKeyTooLong,
  numberOf,
  rememberToken,
  sourceLengthOf,
  sourceOf,
} from './wasm-owners.as';
import { NO_SLOT } from './wasm-scatter.as';

/** What a line's owner depends on. */
const TOKEN_KEY: u32 = 1;
const NAME_KEY: u32 = 2;
const DATA_KEY: u32 = 3;
const RULE_KEY: u32 = 4;

/** How a line is stored, of an owner that is known. */
/** With the source's name in the place of APP-NAME. */
export const AS_SENT: u32 = 0;
/** The same, and APP-NAME goes in front of PROCID. */
export const WITH_PROGRAM: u32 = 1;
/** The same, but APP-NAME is the source's name, or none: PROCID stays as it is, unless it repeats that. */
export const WITHOUT_PROGRAM: u32 = 2;
/** APP-NAME holds the name of the dyno, behind the token. */
export const WITH_DYNO: u32 = 3;
/** Lines with this key are left to the JavaScript path. */
const LEFT_ALONE: u32 = 4;

/** The slot of the line's owner, or 0; how it is stored; the source's name; and the number of its app, or of its slot. */
export let slot: u32 = 0;
export let form: u32 = AS_SENT;
export let source: u32 = 0;
export let sourceBytes: u32 = 0;
export let owner: u32 = NO_SLOT;

/** Whose owner isn't known, when `take` stopped at such a line: which kind of key, and the fields that it depends on. */
export let unknownKey: u32 = 0;
export let unknownTag: u32 = 0;
export let unknownTagLength: u32 = 0;
export let unknownHost: u32 = 0;
export let unknownHostLength: u32 = 0;
export let unknownToken: u32 = 0;
export let unknownTokenLength: u32 = 0;

/** All lines have one owner, whose source's name this is, as long as no other is found. */
export function beginOwners(fixedSource: u32, fixedSourceBytes: u32): void {
  slot = 0;
  form = AS_SENT;
  source = fixedSource;
  sourceBytes = fixedSourceBytes;
  owner = NO_SLOT;
}

/**
 * Finds the owner of the line whose header begins at `at`.
 * @param tokens,names,rules scopes, as `take` has them
 */
// @ts-ignore: decorator of AssemblyScript
@inline
export function findLineOwner(at: u32, isOld: bool, tokens: u32, names: u32, rules: u32, perSource: bool): u32 {
  slot = tokenSlot;
  if (slot == 0) {
    let key = RULE_KEY;
    const tagAt = at + tag;
    if (names != 0) {
      key = NAME_KEY;
      slot = findTag(names, tagAt, isOld);
    } else if (load<u16>(tagAt) == 0x2e74 && tagBytes > 1) {
      key = TOKEN_KEY;
      slot = findTag(tokens, tagAt, isOld);
    } else {
      // A host may be a token, too.
      if (rules == 0 || (hostBytes > 1 && load<u16>(at + host) == 0x2e74)) return UNSUPPORTED;
      if (tokenBytes != 0) {
        key = DATA_KEY;
        slot = findOwner(tokens, tagAt, tagBytes, at + token, tokenBytes);
      } else slot = findOwner(rules, tagAt, tagBytes, at + host, hostBytes);
    }
    if (slot == 0) return isKeyTooLong() ? UNSUPPORTED : askForOwner(key, at);
    if (key == TOKEN_KEY && formOf(slot) == AS_SENT) {
      rememberToken(slot);
      noteToken();
    }
  }
  form = formOf(slot);
  if (form == LEFT_ALONE) return UNSUPPORTED;
  source = sourceOf(slot);
  sourceBytes = sourceLengthOf(slot);
  owner = perSource ? numberOf(slot) : appOf(slot);
  return READ;
}

function findTag(scope: u32, tagAt: u32, isOld: bool): u32 {
  return isOld ? findOwner(scope, tagAt, tagBytes, 0, 0) : findWord(scope, tagAt, tagBytes);
}

function askForOwner(key: u32, at: u32): u32 {
  unknownKey = key;
  unknownTag = at + tag;
  unknownTagLength = tagBytes;
  unknownHost = at + host;
  unknownHostLength = hostBytes;
  unknownToken = at + token;
  unknownTokenLength = tokenBytes;
  return UNKNOWN_OWNER;
}
