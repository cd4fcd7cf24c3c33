/**
 * How a record lies in a batch (`batch.ts`), and how long its parts may be: what the modules that read or write records import.
 *
 *     u32 text length | u8 host | u8 0 | u16 source | u16 msgid | u16 message | text
 */

/** Bytes in front of a record's text. */
export const RECORD_HEADER: u32 = 12;
/** A longer message is split into several lines. */
export const MESSAGE_BYTES_MAX: u32 = 10_000;
export const PROCID_BYTES_MAX: u32 = 128;
export const MSGID_BYTES_MAX: u32 = 32;
/** No shorter text holds a token. */
export const TOKEN_TEXT_BYTES_MIN: u32 = 16;
/** Of a time that is stamped: `2012-12-10T03:00:48.123000+00:00`. */
export const TIME_BYTES: u32 = 32;

/** Bytes of a record's text. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function textLength(record: u32): u32 {
  return load<u32>(record) & 0xffffff;
}

/** Where HOST begins in a record's text. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function hostOffset(record: u32): u32 {
  return load<u8>(record, 4);
}

/** Where the source's name begins in it. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function sourceOffset(record: u32): u32 {
  return load<u16>(record, 6);
}

/** Where MSGID begins in it. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function msgidOffset(record: u32): u32 {
  return load<u16>(record, 8);
}

/** Where the message begins in it. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function messageOffset(record: u32): u32 {
  return load<u16>(record, 10);
}

/** Writes what is in front of a record's text. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function storeHeader(record: u32, length: u32, host: u32, source: u32, msgid: u32, message: u32): void {
  store<u32>(record, length);
  store<u32>(record, host | (source << 16), 4);
  store<u32>(record, msgid | (message << 16), 8);
}
