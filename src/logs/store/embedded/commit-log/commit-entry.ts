/**
 * The commit log's format on the disk: files under `commits/`, each named after a running number. An entry is a batch as it will be in
 * its app's segment, with whose it is in front of it:
 *
 *     u8 6 | u24 lines | u32 CRC-32 | u32 bytes behind it | 16 × u8 app's id | u56 first sequence | 5 × u8 0 | entry of a segment
 *
 * all little endian. The CRC is that of these 40 bytes, with zeros in its own place; what is behind them has its own. An entry with the number 7,
 * and without a batch, says that the app's stream was removed: what is before it is of nobody.
 */
import { HEADROOM } from '../../../syslog/batch.ts';
import type { AppId, Sequence, StoredBatch } from '../../contract.ts';
import { crc32 } from '../checksum.ts';
import {
  type AllocatedBatch,
  bytesBeforeCandidate,
  checksumSeed,
  isIntact,
  leadingFrameIdBytes,
  parseEntry,
  type SegmentEntry,
  toStoredBatch,
} from '../segments/entry-format.ts';

/** Bytes in front of an entry's batch. */
export const COMMIT_HEADER = 40;
const BATCH = 6;
const DROPPED = 7;
const CRC_AT = 4;
const APP_AT = 12;
const FIRST_AT = 28;
const TWO_TO_32 = 4_294_967_296;
const DIGITS = 16;

/** Lines of which the commit log says that they were stored, and that can't be read. */
export interface DamagedCommit {
  readonly app: AppId;
  readonly first: Sequence;
  readonly last: Sequence;
  readonly bytes: number;
}

/** What a file of the commit log holds. */
export interface CommitFileContent {
  /** By app, in order. */
  readonly batches: Map<AppId, AllocatedBatch[]>;
  /** Apps whose streams were removed, and that had something in a file before. */
  readonly dropped: Set<AppId>;
  readonly damaged: readonly DamagedCommit[];
  /** Bytes that are no intact entries; what a killed process leaves behind the last one doesn't count. */
  readonly damagedBytes: number;
}

/** The bytes of an app's id. */
export function appIdBytes(app: AppId): Buffer {
  return Buffer.from(app.replaceAll('-', ''), 'hex');
}

/** Writes what is in front of an entry of a segment. @param app see {@link appIdBytes} */
export function writeCommitHeader(
  out: Buffer,
  at: number,
  app: Buffer,
  bytes: number,
  { count, first }: StoredBatch,
): void {
  writeHeader(out, at, BATCH, app, bytes, count, first);
}

/** The entry that says that an app's stream was removed. */
export function encodeDropped(app: AppId): Buffer {
  const entry = Buffer.alloc(COMMIT_HEADER);
  writeHeader(entry, 0, DROPPED, appIdBytes(app), 0, 0, 0);
  return entry;
}

/** The name of a file of the commit log. */
export function commitFileName(number: number): string {
  return `${String(number).padStart(DIGITS, '0')}.log`;
}

/** Reads the name of a file of the commit log; undefined when it is none. */
export function parseCommitFileName(name: string): number | undefined {
  const match = /^(\d{16})\.log$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * Reads a file of the commit log. Where bytes are damaged, it goes on at the next entry whose checksums are right.
 * @param apps whose batches may be in it: of one of these is a batch whose header is damaged, by the batch's own checksum
 */
export function readCommitFile(bytes: Buffer, apps: readonly AppId[]): CommitFileContent {
  const batches = new Map<AppId, AllocatedBatch[]>();
  const dropped = new Set<AppId>();
  const damaged: DamagedCommit[] = [];
  const seeds = new Map<AppId, number>();
  let intact = 0;
  /** Where the newest intact entry ends. */
  let reached = 0;
  for (let at = 0; at + COMMIT_HEADER <= bytes.length; ) {
    const header = parseHeader(bytes, at);
    if (!header) {
      const found = identify(bytes, at, apps);
      if (found) {
        const { app, entry } = found;
        add(batches, app, entry, bytes, 0);
        intact += entry.end - at;
        at = reached = entry.end;
      } else at++;
      continue;
    }
    const { app, isDropped, length, first, count } = header;
    const start = at + COMMIT_HEADER;
    const end = start + length;
    if (end > bytes.length) {
      // Its end is missing: it was never acknowledged, or what follows was lost. It is no reason not to look behind it.
      at++;
      continue;
    }
    let seed = seeds.get(app);
    if (seed === undefined) {
      seed = checksumSeed(app);
      seeds.set(app, seed);
    }
    const entry = isDropped ? undefined : intactEntry(bytes.subarray(start, end), first, seed);
    if (!isDropped && !entry) {
      damaged.push({ app, first, last: first + count - 1, bytes: length });
      at = end;
      continue;
    }
    if (isDropped) {
      batches.delete(app);
      dropped.add(app);
    } else if (entry) {
      add(batches, app, entry, bytes, start);
    }
    intact += end - at;
    reached = end;
    at = end;
  }
  const rest = bytes.subarray(reached);
  const isTorn = isTornCommit(rest);
  const damagedBytes = bytes.length - intact - (isTorn ? rest.length : 0);
  return { batches, dropped, damaged, damagedBytes };
}

function add(
  batches: Map<AppId, AllocatedBatch[]>,
  app: AppId,
  entry: SegmentEntry,
  bytes: Buffer,
  offset: number,
): void {
  const { bytesSoFar, frameId, batchStart, end } = entry;
  const stored = toStoredBatch(bytes.subarray(offset + batchStart, offset + end), entry);
  const known = batches.get(app);
  if (known) known.push({ stored, bytesSoFar, frameId });
  else batches.set(app, [{ stored, bytesSoFar, frameId }]);
}

/** The entry of a segment that begins at `at` of damaged bytes, and whose it is, if one does. */
function identify(
  bytes: Buffer,
  at: number,
  apps: readonly AppId[],
): { app: AppId; entry: SegmentEntry } | undefined {
  const bytesBefore = bytesBeforeCandidate(bytes, at, 0, 0);
  const entry = bytesBefore === undefined ? undefined : parseEntry(bytes, at, 0, bytesBefore);
  if (!entry || entry.end > bytes.length) return undefined;
  const app = apps.find((one) => isIntact(bytes, entry, 0, checksumSeed(one)));
  return app === undefined ? undefined : { app, entry };
}

/** Are these bytes behind the last entry what a killed process, or a power cut, leaves of one that was never acknowledged? */
function isTornCommit(rest: Buffer): boolean {
  if (rest.length < COMMIT_HEADER || rest.subarray(0, COMMIT_HEADER).every((byte) => byte === 0)) return true;
  const header = parseHeader(rest, 0);
  return header !== undefined && COMMIT_HEADER + header.length > rest.length;
}

/** The entry of a segment that these bytes are, if they are one. */
function intactEntry(bytes: Buffer, first: Sequence, seed: number): SegmentEntry | undefined {
  const head = leadingFrameIdBytes(bytes, 0);
  if (head + HEADROOM > bytes.length) return undefined;
  // What was before it in its stream, it says itself; its checksum tells whether that is right.
  const bytesSoFar = bytes.readUInt32LE(head + 18) + bytes.readUIntLE(head + 22, 3) * TWO_TO_32;
  const entry = parseEntry(bytes, 0, 0, bytesSoFar - (bytes.length - head));
  if (!entry || entry.end !== bytes.length || entry.first !== first) return undefined;
  return isIntact(bytes, entry, 0, seed) ? entry : undefined;
}

interface CommitHeader {
  readonly app: AppId;
  readonly isDropped: boolean;
  readonly length: number;
  readonly count: number;
  readonly first: Sequence;
}

function parseHeader(bytes: Buffer, at: number): CommitHeader | undefined {
  const type = bytes[at];
  if ((type !== BATCH && type !== DROPPED) || at + COMMIT_HEADER > bytes.length) return undefined;
  const header = Buffer.from(bytes.subarray(at, at + COMMIT_HEADER));
  const stored = header.readUInt32LE(CRC_AT);
  header.writeUInt32LE(0, CRC_AT);
  if (crc32(header) !== stored) return undefined;
  const hex = header.toString('hex', APP_AT, FIRST_AT);
  const app = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') as AppId;
  return {
    app,
    isDropped: type === DROPPED,
    length: header.readUInt32LE(8),
    count: header.readUIntLE(1, 3),
    first: header.readUInt32LE(FIRST_AT) + header.readUIntLE(FIRST_AT + 4, 3) * TWO_TO_32,
  };
}

/** Headers are made here: what they are written to is seldom in the processor's cache. */
const newHeader = Buffer.alloc(COMMIT_HEADER);

function writeHeader(
  out: Buffer,
  at: number,
  type: number,
  app: Buffer,
  bytes: number,
  count: number,
  first: Sequence,
): void {
  newHeader.writeUInt32LE((type | (count << 8)) >>> 0, 0);
  newHeader.writeUInt32LE(0, CRC_AT);
  newHeader.writeUInt32LE(bytes, CRC_AT + 4);
  newHeader.set(app, APP_AT);
  newHeader.writeUInt32LE(first % TWO_TO_32, FIRST_AT);
  newHeader.writeUIntLE(Math.floor(first / TWO_TO_32), FIRST_AT + 4, 3);
  newHeader.writeUInt32LE(crc32(newHeader), CRC_AT);
  out.set(newHeader, at);
}
