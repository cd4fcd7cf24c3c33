/**
 * An entry of the journal: what was acknowledged and may not be in LMDB yet.
 *
 *     u32 magic | u32 generation | f64 serial number | u32 bytes of the batch | u32 checksum | 16 bytes app id |
 *     u16 bytes of the name | name | batch
 *
 * A batch of no bytes says that the app's stream was dropped.
 */
import type { AppId } from '../contract.ts';

const MAGIC = 0x4a524c54; // "TLRJ"
const HEAD_BYTES = 42;
/** One word of every sector goes into the checksum: a torn write leaves whole sectors of what stood there before. */
const SECTOR_BYTES = 512;

export interface JournalEntry {
  readonly app: AppId;
  /** The name under which the batch was appended, if any (`Logplex-Frame-Id`). */
  readonly frameId: string | undefined;
  /** The batch with its headroom filled in; empty when the stream was dropped. */
  readonly bytes: Uint8Array;
}

/** What stands in front of an entry's batch. */
export function entryHead(entry: JournalEntry, generation: number, serial: number): Buffer {
  const name = Buffer.from(entry.frameId ?? '');
  const head = Buffer.allocUnsafe(HEAD_BYTES + name.length);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(generation, 4);
  head.writeDoubleLE(serial, 8);
  head.writeUInt32LE(entry.bytes.length, 16);
  head.writeUInt32LE(checksum(entry.bytes, serial), 20);
  head.write(entry.app.replaceAll('-', ''), 24, 16, 'hex');
  head.writeUInt16LE(name.length, 40);
  name.copy(head, HEAD_BYTES);
  return head;
}

/** The entries of a journal file, in their order, up to the first that is not whole or from before. */
export function* readEntries(file: Buffer): Generator<JournalEntry> {
  let i = 0;
  let generation: number | undefined;
  let before = 0;
  while (i + HEAD_BYTES <= file.length && file.readUInt32LE(i) === MAGIC) {
    const own = file.readUInt32LE(i + 4);
    generation ??= own;
    const serial = file.readDoubleLE(i + 8);
    const nameEnd = i + HEAD_BYTES + file.readUInt16LE(i + 40);
    const end = nameEnd + file.readUInt32LE(i + 16);
    // Serial numbers only grow: what stands behind a write that failed, and was written over, doesn't count.
    if (own !== generation || serial <= before || end > file.length) return;
    const bytes = file.subarray(nameEnd, end);
    if (checksum(bytes, serial) !== file.readUInt32LE(i + 20)) return;
    const app = appId(file.toString('hex', i + 24, i + 40));
    const name = file.toString('utf8', i + HEAD_BYTES, nameEnd);
    yield { app, frameId: name === '' ? undefined : name, bytes };
    before = serial;
    i = end;
  }
}

/** The generation of a journal file: the file with the smaller one was written first. Undefined when it holds nothing. */
export function generationOf(file: Buffer): number | undefined {
  return file.length >= HEAD_BYTES && file.readUInt32LE(0) === MAGIC ? file.readUInt32LE(4) : undefined;
}

function checksum(bytes: Uint8Array, serial: number): number {
  let sum = serial | 0;
  for (let i = 0; i < bytes.length; i += SECTOR_BYTES)
    sum = (Math.imul(sum ^ bytes[i], 0x01000193) ^ (bytes[i + 1] << 16) ^ (bytes[i + 2] << 8)) | 0;
  for (let i = Math.max(0, bytes.length - 8); i < bytes.length; i++)
    sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return sum >>> 0;
}

function appId(hex: string): AppId {
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return parts.join('-') as AppId;
}
