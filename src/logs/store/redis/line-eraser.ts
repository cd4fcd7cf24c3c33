/**
 * Deletes lines from a stream in Redis, whose entries can't be changed: a copy without them is made beside it, and takes its place at once. What
 * is appended meanwhile is added to it then.
 */
import { HEADROOM, RecordCursor } from '../../syslog/batch.ts';
import type { AppId, Sequence, StoredBatch } from '../contract.ts';
import { entryId, readStoredBatch, type StreamEntry } from './batch-header.ts';
import type { RedisArgument, RedisConnection } from './connection/connection.ts';
import { streamKeys } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';
import { packRecords } from './packing.ts';

/** Entries that are copied with one call, which blocks Redis. */
const ENTRIES_PER_CALL = 64;
/** A copy that nobody goes on with is removed after this time. */
const COPY_TTL_MS = 600_000;
/** Of a header: `<I4I4dd`. */
const HEADER_BYTES = 24;
const SO_FAR_AT = 16;

interface CopiedEntry {
  readonly id: string;
  readonly header: Buffer;
  readonly packed: Buffer;
}

/** @param onPage called after each call; throws to give up */
export async function eraseFromStream(
  connection: RedisConnection,
  app: AppId,
  range: { readonly first: Sequence; readonly last: Sequence },
  pick: (batch: StoredBatch) => ReadonlySet<Sequence>,
  onPage: () => Promise<void>,
): Promise<number> {
  const { lines, index, state } = streamKeys(app);
  const [newLines, newIndex] = [`${lines}:copy`, `${index}:copy`];
  await connection.call('unlink', newLines, newIndex);
  let erased = 0;
  let next: Sequence = 0;
  for (;;) {
    const page = (await connection.callBytes(
      'XRANGE',
      lines,
      entryId(next),
      '+',
      'COUNT',
      ENTRIES_PER_CALL,
    )) as StreamEntry[];
    if (page.length === 0) break;
    const copied: CopiedEntry[] = [];
    for (const entry of page) {
      const batch = readStoredBatch(entry);
      next = batch.last + 1;
      const isInRange = batch.last >= range.first && batch.first <= range.last;
      const { first, last } = range;
      const found = isInRange && batch.count > 0 ? [...pick(batch)] : [];
      const picked = new Set(found.filter((sequence) => sequence >= first && sequence <= last));
      if (picked.size > 0) {
        erased += picked.size;
        copied.push(...entriesWithout(batch, picked, entry[1][0]));
      } else copied.push({ id: entryId(batch.last), header: entry[1][0], packed: entry[1][1] });
    }
    const args: RedisArgument[] = [COPY_TTL_MS];
    for (const { id, header, packed } of copied) args.push(id, header, packed);
    await connection.runScript(LUA_SCRIPTS.rewrite, [newLines, newIndex], args);
    await onPage();
    if (page.length < ENTRIES_PER_CALL) break;
  }
  if (erased === 0) await connection.call('unlink', newLines, newIndex);
  else {
    const keys = [newLines, newIndex, lines, index, state];
    if ((await connection.runScript(LUA_SCRIPTS.rewrite, keys, [entryId(next)])) !== 1) return 0;
  }
  return erased;
}

/** The entries in a batch's place: what is left of it, and entries without records for the numbers of the others. */
function entriesWithout(batch: StoredBatch, picked: ReadonlySet<Sequence>, header: Buffer): CopiedEntry[] {
  const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
  const total = header.readDoubleLE(SO_FAR_AT);
  let soFar = total - bytes.length;
  const entries: CopiedEntry[] = [];
  const cursor = new RecordCursor(bytes);
  let start = cursor.nextStart;
  for (let sequence = batch.first, from = sequence; sequence <= batch.last; sequence++) {
    cursor.skip(1);
    const isGap = picked.has(sequence);
    if (sequence < batch.last && picked.has(sequence + 1) === isGap) continue;
    const records = isGap ? bytes.subarray(0, 0) : bytes.subarray(start, cursor.nextStart);
    const own = Buffer.concat([Buffer.alloc(HEADROOM), records]);
    // What counts the bytes of the stream is the same behind them as it was.
    soFar = sequence === batch.last ? total : Math.min(total, soFar + own.length);
    const ownHeader = Buffer.alloc(HEADER_BYTES);
    ownHeader.writeUInt32LE(sequence - from + 1, 0);
    ownHeader.writeUInt32LE(own.length, 4);
    ownHeader.writeDoubleLE(batch.storedAtMs, 8);
    ownHeader.writeDoubleLE(soFar, SO_FAR_AT);
    entries.push({ id: entryId(sequence), header: ownHeader, packed: packRecords(own) });
    start = cursor.nextStart;
    from = sequence + 1;
  }
  return entries;
}
