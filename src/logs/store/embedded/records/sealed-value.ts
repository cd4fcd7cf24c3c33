/**
 * Small values in LMDB, each with a CRC-32 over its key and itself, so that neither a flipped bit nor a value in another's place is taken
 * for genuine:
 *
 *     u8 1 | u32 CRC-32, little endian | JSON
 */
import { crc32 } from '../checksum.ts';

const SEALED = 1;
const PREFIX_BYTES = 5;
/** What version 0.1 wrote was JSON alone: an object. */
const LEGACY_START = 0x7b;

/** Characters of a secret that are shown: enough to find it. */
const SHOWN_OF_SECRET = 6;

/** A key of a database: the name of the database, and the parts of the key. */
export type SealedKey = readonly string[];

/** The value as it is stored. */
export function sealValue(key: SealedKey, value: unknown): Buffer {
  const json = JSON.stringify(value);
  const sealed = Buffer.allocUnsafe(PREFIX_BYTES + Buffer.byteLength(json));
  sealed[0] = SEALED;
  sealed.write(json, PREFIX_BYTES);
  sealed.writeUInt32LE(checksum(key, sealed), 1);
  return sealed;
}

/** A stored value; undefined when it is damaged. */
export function unsealValue<T>(key: SealedKey, stored: Uint8Array): { readonly value: T } | undefined {
  const sealed = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  const isGenuine =
    sealed.length > PREFIX_BYTES && sealed[0] === SEALED && sealed.readUInt32LE(1) === checksum(key, sealed);
  return isGenuine ? parseJson<T>(sealed.toString('utf8', PREFIX_BYTES)) : undefined;
}

/** Was it written by version 0.1, without a checksum? */
export function isLegacyValue(stored: Uint8Array): boolean {
  return stored[0] === LEGACY_START;
}

/** A value of version 0.1; undefined when it is damaged. */
export function readLegacyValue<T>(stored: Uint8Array): { readonly value: T } | undefined {
  return parseJson<T>(Buffer.from(stored.buffer, stored.byteOffset, stored.length).toString('utf8'));
}

function checksum(key: SealedKey, sealed: Buffer): number {
  return crc32(sealed.subarray(PREFIX_BYTES), crc32(Buffer.from(key.join('\0'))));
}

function parseJson<T>(text: string): { readonly value: T } | undefined {
  try {
    return { value: JSON.parse(text) as T };
  } catch {
    return undefined;
  }
}

/** What a record is called in messages: keys that hold a secret are cut short. */
export function recordName(scope: string, key: string): string {
  const slash = key.indexOf('/') + 1;
  const isSecret = ['token/', 'key/', 'session/'].includes(key.slice(0, slash));
  const name = isSecret ? `${key.slice(0, slash + SHOWN_OF_SECRET)}…` : key;
  return scope === '' ? name : `${name} of ${scope}`;
}
