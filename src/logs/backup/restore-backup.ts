/** Puts a backup into a store that is empty, and its files into a data folder. */
import { createWriteStream } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TailraceError } from '../../common/errors.ts';
import { makeDirectory } from '../../common/files/make-directory.ts';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import { LIMITS_PREFIX } from '../store/app-limits.ts';
import type { RecordChange, Sequence, Store } from '../store/contract.ts';
import { placeholderBatch } from '../store/placeholder-batch.ts';
import { type BackedUpStream, FILES_FOLDER, scopeOfMember } from './backup-layout.ts';
import { decodeBatches } from './batch-chunk.ts';
import { type BackupMember, type CheckedBackup, readMembers } from './read-backup.ts';

/** Records that are written with one transaction. */
const RECORDS_PER_TRANSACTION = 500;

/** What becomes of a record on its way: what is written in its place. */
export type AdaptRecord = (
  scope: string,
  change: RecordChange,
  streams: readonly BackedUpStream[],
) => readonly RecordChange[];

export interface RestoreTarget {
  readonly store: Store;
  /** The data folder: files of the backup go there. */
  readonly folder: string;
  readonly adapt: AdaptRecord;
}

export interface RestoredStream {
  readonly name: string;
  readonly lines: number;
  /** Numbers of lines at its beginning that the store has removed again: they are more, or older, than it may hold. */
  readonly tooOld: number;
  /** The newest line's number; what comes goes on behind it. */
  readonly last: Sequence;
}

export interface RestoreReport {
  readonly streams: readonly RestoredStream[];
  readonly records: number;
  readonly files: number;
}

/**
 * Restores a chain of backups, oldest first, each of them checked. Records that belong to no stream come last, those of the scope of no app
 * behind all others: before, nobody knows of what is there, and a restore that was interrupted is simply started again.
 * @throws TailraceError as the store does
 */
export async function restoreBackup(
  chain: readonly CheckedBackup[],
  { store, folder, adapt }: RestoreTarget,
): Promise<RestoreReport> {
  const { manifest } = chain[chain.length - 1];
  const { streams } = manifest;
  for (const { id } of streams) await store.dropStream(id);
  await restoreLimits(chain[chain.length - 1], store, (change) => adapt('', change, streams));
  const counts = new Map(streams.map(({ id }) => [id as string, 0]));
  const chunks = new Map(
    streams.flatMap((stream) => stream.chunks.map((chunk) => [`${chunk.backup} ${chunk.path}`, stream])),
  );
  const files = new Map(manifest.files.map((file) => [`${file.backup} ${FILES_FOLDER}${file.path}`, file]));
  let recordCount = 0;
  const late = new Map<string, Buffer>();
  for (const backup of chain)
    for await (const member of readMembers(backup.file)) {
      const { id } = backup.manifest;
      const key = `${id} ${member.path}`;
      const stream = chunks.get(key);
      const file = files.get(key);
      const scope = id === manifest.id ? scopeOfMember(member.path) : undefined;
      if (stream) {
        const lines = await restoreChunk(store, stream, await member.bytes());
        counts.set(stream.id, (counts.get(stream.id) ?? 0) + lines);
      } else if (file) await writeRestoredFile(join(folder, file.path), member, file.mtime_ms);
      else if (scope !== undefined && counts.has(scope))
        recordCount += await restoreRecords(store, scope, await member.bytes(), (change) =>
          adapt(scope, change, streams),
        );
      else if (scope !== undefined) late.set(scope, await member.bytes());
    }
  for (const { id, first, last } of streams) await endStreamAt(store, id, last, first > last);
  // '' is before all others.
  for (const [scope, bytes] of [...late].sort(([a], [b]) => (a < b ? 1 : -1)))
    recordCount += await restoreRecords(store, scope, bytes, (change) => adapt(scope, change, streams));
  const restored: RestoredStream[] = [];
  for (const { id, name, first, last } of streams) {
    const { first: held } = await store.bounds(id);
    const tooOld = Math.max(0, Math.min(held, last + 1) - first);
    restored.push({ name, last, lines: counts.get(id) ?? 0, tooOld });
  }
  return { streams: restored, records: recordCount, files: manifest.files.length };
}

/** Limits of apps are there before their lines are: else streams would be trimmed to what others may hold. */
async function restoreLimits(
  { file }: CheckedBackup,
  store: Store,
  adapt: (change: RecordChange) => readonly RecordChange[],
): Promise<void> {
  for await (const member of readMembers(file)) {
    if (scopeOfMember(member.path) !== '') continue;
    await restoreRecords(store, '', await member.bytes(), (change) =>
      change.key.startsWith(LIMITS_PREFIX) ? adapt(change) : [],
    );
    return;
  }
}

/** Restores the batches that the stream held when it was backed up. @returns the number of lines */
async function restoreChunk(
  store: Store,
  { id, first, last }: BackedUpStream,
  bytes: Buffer,
): Promise<number> {
  let lines = 0;
  for (const batch of decodeBatches(bytes)) {
    if (batch.last < first || batch.first > last) continue;
    await store.restore(id, batch);
    lines += batch.count;
  }
  return lines;
}

/** Its newest lines are gone, and their numbers were used: cursors stand there. */
async function endStreamAt(
  store: Store,
  id: BackedUpStream['id'],
  last: Sequence,
  isEmpty: boolean,
): Promise<void> {
  if ((await store.bounds(id)).last >= last) return;
  const why = isEmpty ? 'Restored from a backup' : 'Restored from a backup; the last lines before are gone';
  await store.restore(id, placeholderBatch(last, why));
}

async function restoreRecords(
  store: Store,
  scope: string,
  bytes: Buffer,
  adapt: (change: RecordChange) => readonly RecordChange[],
): Promise<number> {
  const changes: RecordChange[] = [];
  let count = 0;
  for (const line of bytes.toString().split('\n')) {
    if (line === '') continue;
    const { key, value } = JSON.parse(line) as RecordChange;
    const adapted = adapt({ key, value });
    if (adapted.length > 0) count++;
    changes.push(...adapted);
  }
  for (let i = 0; i < changes.length; i += RECORDS_PER_TRANSACTION)
    await store.transact(scope, changes.slice(i, i + RECORDS_PER_TRANSACTION));
  return count;
}

/** Whole or not at all. */
async function writeRestoredFile(path: string, member: BackupMember, mtimeMs: number): Promise<void> {
  try {
    makeDirectory(dirname(path), 0o700);
    const write = async (temporary: string): Promise<void> => {
      await pipeline(member.pieces(), createWriteStream(temporary, { mode: 0o600 }));
      await utimes(temporary, mtimeMs / 1_000, mtimeMs / 1_000);
    };
    await replaceFileWith(path, write, { temporary: `${path}.restoring` });
  } catch (cause) {
    throw new TailraceError('data_folder', `${path} can't be written: make room, and restore again.`, {
      cause,
    });
  }
}
