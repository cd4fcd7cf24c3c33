/** Makes a backup of a store and of files beside it, while others use both. */
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { encodeTarEnd, encodeTarHeader, paddedByteCount } from '../../common/tar/tar-header.ts';
import type { AppId, Sequence, Store, StoredBatch, StoredRecord } from '../store/contract.ts';
import { readEditions } from '../store/stream-edition.ts';
import { HEADROOM } from '../syslog/batch.ts';
import {
  BACKUP_FORMAT,
  type BackedUpFile,
  type BackedUpProgram,
  type BackedUpStream,
  type BackupChunk,
  type BackupHead,
  type BackupManifest,
  chunkMember,
  FILES_FOLDER,
  HEAD_MEMBER,
  MANIFEST_MEMBER,
  recordsMember,
  SUMS_MEMBER,
  sumLine,
} from './backup-layout.ts';
import { encodeStoredBatch } from './batch-chunk.ts';
import { type RecordsByScope, readRecordsAtOnce } from './records-snapshot.ts';

/** Lines of a member, in bytes, and what is read of a file at a time: each holds up the event loop. */
const CHUNK_BYTES = 1_048_576;
const PIECE_BYTES = 262_144;

/** What is backed up. */
export interface BackupSource {
  readonly program: BackedUpProgram;
  readonly version: string;
  readonly store: Store;
  /** The data folder, which has the files. */
  readonly folder: string;
  /** The scopes of records, besides the one of no app, whose records are given. */
  scopesOf(platform: readonly StoredRecord[]): readonly string[];
  streamsOf(platform: readonly StoredRecord[]): readonly BackupStream[];
  /** Paths within the data folder, with slashes; of some there may be no file. */
  filesOf(records: RecordsByScope): Promise<readonly string[]>;
}

export interface BackupStream {
  readonly id: AppId;
  readonly name: string;
  /** Lines up to here are in files of the backup: they aren't in it as lines, too. */
  readonly inFilesThrough?: Sequence;
}

/** A stream as it is when the backup begins. */
interface StreamAtStart {
  readonly id: AppId;
  readonly name: string;
  readonly first: Sequence;
  readonly last: Sequence;
  readonly bytes: number;
  readonly edition: number;
  readonly end: string;
}

/**
 * The bytes of a backup. Records are read first, then where the streams end: so no cursor is behind the lines that are there.
 * @param since the manifest of a backup: what that one, or those before it, have already is left out
 * @throws TailraceError `unavailable` when something can't be read
 */
export async function* writeBackup(
  source: BackupSource,
  since?: BackupManifest,
): AsyncGenerator<Buffer, void, void> {
  const { store, program, version } = source;
  if (since && since.program !== program)
    throw new TailraceError(
      'invalid_params',
      `The backup that it is to go on from is one of ${since.program}.`,
    );
  const head: BackupHead = {
    format: BACKUP_FORMAT,
    program,
    version,
    id: randomUUID(),
    created_at: new Date(await store.time()).toISOString(),
    since: since?.id ?? null,
  };
  const writer = new MemberWriter(Date.parse(head.created_at));
  yield* writer.member(HEAD_MEMBER, jsonBytes(head));

  const records = await readRecordsAtOnce(store, (platform) => source.scopesOf(platform));
  const streams: StreamAtStart[] = [];
  const editions = readEditions(records.get('') ?? []);
  for (const stream of source.streamsOf(records.get('') ?? []))
    streams.push(await readStart(store, stream, editions.get(stream.id) ?? 0));
  let recordCount = 0;
  for (const [scope, own] of records) {
    recordCount += own.length;
    const lines = own.map(({ key, value }) => `${JSON.stringify({ key, value })}\n`);
    yield* writer.member(recordsMember(scope), Buffer.from(lines.join('')));
  }

  const backedUp: BackedUpStream[] = [];
  for (const stream of streams) {
    const before = since?.streams.find(({ id }) => id === stream.id);
    backedUp.push(yield* writeStream(writer, store, head.id, stream, before));
  }

  const files: BackedUpFile[] = [];
  let missing = 0;
  const filesBefore = new Map(since?.files.map((file) => [file.path, file]));
  for (const path of await source.filesOf(records)) {
    const file = yield* writeFile(writer, source.folder, path, head.id, filesBefore.get(path));
    if (file) files.push(file);
    else missing++;
  }

  const manifest: BackupManifest = {
    ...head,
    backups: [...(since?.backups ?? []), { id: head.id, created_at: head.created_at }],
    records: recordCount,
    streams: backedUp,
    files,
    missing_files: missing,
  };
  yield* writer.member(MANIFEST_MEMBER, jsonBytes(manifest));
  yield* writer.end();
}

async function readStart(
  store: Store,
  { id, name, inFilesThrough = 0 }: BackupStream,
  edition: number,
): Promise<StreamAtStart> {
  const { first: oldest, last, bytes } = await store.bounds(id);
  const first = Math.max(oldest, Math.min(inFilesThrough, last) + 1);
  const end = last < first ? '' : endOf(await store.read(id, last - 1, 1), last);
  return { id, name, first, last, bytes, edition, end };
}

/** What tells the end of a stream from that of another one with the same numbers. */
function endOf(batches: readonly StoredBatch[], last: Sequence): string {
  const batch = batches.find((one) => one.first <= last && last <= one.last);
  if (!batch) return '';
  const { bytes, first, storedAtMs } = batch;
  return createHash('sha256')
    .update(`${first} ${storedAtMs} `)
    .update(bytes.subarray(HEADROOM))
    .digest('hex');
}

/** Writes the lines of a stream that no backup before has; those that come meanwhile are left to the next one. */
async function* writeStream(
  writer: MemberWriter,
  store: Store,
  backup: string,
  stream: StreamAtStart,
  before: BackedUpStream | undefined,
): AsyncGenerator<Buffer, BackedUpStream, void> {
  const { id, name, first, last, bytes, edition, end } = stream;
  const isSame =
    before !== undefined &&
    before.edition === edition &&
    before.end !== '' &&
    before.last <= last &&
    before.end === endOf(await store.read(id, before.last - 1, 1), before.last);
  const kept = isSame ? before.chunks.filter((chunk) => chunk.last >= first) : [];
  const chunks: BackupChunk[] = [...kept];
  let lines = kept.reduce((sum, chunk) => sum + chunk.last - Math.max(chunk.first, first) + 1, 0);
  for (let after = isSame ? Math.max(before.last, first - 1) : first - 1; after < last; ) {
    const parts: Buffer[] = [];
    let chunkFirst = 0;
    for (let size = 0; after < last && size < CHUNK_BYTES; ) {
      const batches = await store.read(id, after, CHUNK_BYTES - size);
      const wanted = batches.filter((batch) => batch.last > after && batch.first <= last);
      if (wanted.length === 0) {
        after = last; // trimmed or damaged meanwhile
        break;
      }
      for (const batch of wanted) {
        const part = encodeStoredBatch(batch);
        parts.push(part);
        size += part.length;
        lines += batch.last - Math.max(batch.first, after + 1) + 1;
        chunkFirst ||= batch.first;
        after = batch.last;
      }
    }
    if (parts.length === 0) break;
    const path = chunkMember(id, chunkFirst, after);
    chunks.push({ path, backup, first: chunkFirst, last: after });
    yield* writer.member(path, Buffer.concat(parts));
  }
  return { id, name, first, last, lines, bytes, edition, end, chunks };
}

/** Writes a file, unless a backup before has it as it is; undefined when it isn't there. */
async function* writeFile(
  writer: MemberWriter,
  folder: string,
  path: string,
  backup: string,
  before: BackedUpFile | undefined,
): AsyncGenerator<Buffer, BackedUpFile | undefined, void> {
  let handle: FileHandle;
  try {
    handle = await open(join(folder, path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw unreadable(join(folder, path), error);
  }
  try {
    const { size, mtimeMs } = await handle.stat();
    const mtime = Math.floor(mtimeMs);
    if (before?.bytes === size && before.mtime_ms === mtime) return before;
    yield* writer.streamedMember(FILES_FOLDER + path, size, mtime, async function* () {
      for (let at = 0; at < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at));
        const { bytesRead } = await handle.read(piece, 0, piece.length, at);
        if (bytesRead === 0)
          throw new TailraceError(
            'unavailable',
            `${join(folder, path)} became shorter meanwhile: back up again.`,
          );
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    });
    return { path, backup, bytes: size, mtime_ms: mtime };
  } finally {
    await handle.close();
  }
}

function unreadable(path: string, cause: unknown): TailraceError {
  return new TailraceError('unavailable', `${path} can't be read (${systemCode(cause)}).`, { cause });
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`);
}

/** Writes members, and counts their digests. */
class MemberWriter {
  private readonly mtimeMs: number;
  private readonly sums: string[] = [];

  constructor(mtimeMs: number) {
    this.mtimeMs = mtimeMs;
  }

  member(path: string, bytes: Buffer): AsyncGenerator<Buffer, void, void> {
    return this.streamedMember(path, bytes.length, this.mtimeMs, async function* () {
      if (bytes.length > 0) yield bytes;
    });
  }

  /** @param pieces as many bytes as were promised */
  async *streamedMember(
    path: string,
    byteCount: number,
    mtimeMs: number,
    pieces: () => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer, void, void> {
    // One character a byte, as everything that reads tar here has names.
    yield encodeTarHeader({ path: Buffer.from(path).toString('latin1'), byteCount, mtimeMs });
    const hash = createHash('sha256');
    for await (const piece of pieces()) {
      hash.update(piece);
      yield piece;
    }
    const padding = paddedByteCount(byteCount) - byteCount;
    if (padding > 0) yield Buffer.alloc(padding);
    this.sums.push(sumLine(path, hash.digest('hex')));
  }

  async *end(): AsyncGenerator<Buffer, void, void> {
    yield* this.member(SUMS_MEMBER, Buffer.from(this.sums.join('')));
    yield encodeTarEnd();
  }
}
