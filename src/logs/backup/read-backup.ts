/** Reads backups: everything is compared with its checksum before anything of it is used. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { TarError } from '../../common/tar/tar-header.ts';
import { readable, TarReader } from '../../common/tar/tar-reader.ts';
import {
  BACKUP_FORMAT,
  type BackupHead,
  type BackupManifest,
  HEAD_MEMBER,
  isManifest,
  MANIFEST_MEMBER,
  parseSums,
  SUMS_MEMBER,
} from './backup-layout.ts';

const PIECE_BYTES = 1_048_576;
/** A manifest of a hundred thousand streams. */
const TEXT_BYTES_MAX = 268_435_456;

/** A member of a backup, whose bytes have to be read before the next one. */
export interface BackupMember {
  readonly path: string;
  readonly byteCount: number;
  readonly mtimeMs: number;
  pieces(): AsyncIterable<Buffer>;
  /** All of it. */
  bytes(): Promise<Buffer>;
}

/** A backup whose checksums are right. */
export interface CheckedBackup {
  readonly file: string;
  readonly manifest: BackupManifest;
}

/**
 * Reads all of a backup, and compares it with its checksums.
 * @throws TailraceError `invalid_params` for what is none, is damaged, or was cut off
 */
export async function checkBackup(file: string): Promise<CheckedBackup> {
  const found = new Map<string, string>();
  let manifest: BackupManifest | undefined;
  let sums: string | undefined;
  for await (const member of readMembers(file)) {
    const { path } = member;
    if (sums !== undefined || found.has(path)) throw damagedBackup(file, `${path} is there once too often`);
    if (path === SUMS_MEMBER) sums = (await member.bytes()).toString();
    else if (path === HEAD_MEMBER || path === MANIFEST_MEMBER) {
      const bytes = await member.bytes();
      found.set(path, createHash('sha256').update(bytes).digest('hex'));
      if (path === MANIFEST_MEMBER) manifest = parseManifest(file, bytes);
    } else {
      const hash = createHash('sha256');
      for await (const piece of member.pieces()) hash.update(piece);
      found.set(path, hash.digest('hex'));
    }
  }
  if (sums === undefined || !manifest) throw damagedBackup(file, 'its end is missing');
  const expected = parseSums(sums);
  if (!expected) throw damagedBackup(file, `${SUMS_MEMBER} can't be read`);
  for (const [path, sha256] of found)
    if (expected.get(path) !== sha256) throw damagedBackup(file, `${path} isn't what was written`);
  for (const path of expected.keys()) if (!found.has(path)) throw damagedBackup(file, `${path} is missing`);
  return { file, manifest };
}

/** The members of a backup, in order; the first one says what it is. @throws TailraceError `invalid_params` */
export async function* readMembers(file: string): AsyncGenerator<BackupMember, void, void> {
  const reader = new TarReader(await openUnzipped(file), Number.POSITIVE_INFINITY);
  let isFirst = true;
  for (;;) {
    const member = await orExplain(file, isFirst, () => reader.next());
    if (!member) return;
    const { byteCount, mtimeMs } = member;
    const path = readable(member.path);
    const pieces = async function* (): AsyncGenerator<Buffer, void, void> {
      for (;;) {
        const piece = await orExplain(file, false, () => reader.readBody(PIECE_BYTES));
        if (!piece) return;
        yield piece;
      }
    };
    const bytes = async (): Promise<Buffer> => {
      if (byteCount > TEXT_BYTES_MAX) throw damagedBackup(file, `${path} is too large`);
      const parts: Buffer[] = [];
      for await (const piece of pieces()) parts.push(piece);
      return Buffer.concat(parts);
    };
    if (isFirst) {
      if (path !== HEAD_MEMBER || member.type !== 'file') throw noBackup(file);
      const head = await bytes();
      assertKnown(file, parseJson<BackupHead>(file, path, head));
      yield {
        path,
        byteCount,
        mtimeMs,
        bytes: async () => head,
        pieces: async function* () {
          yield head;
        },
      };
    } else yield { path, byteCount, mtimeMs, pieces, bytes };
    isFirst = false;
  }
}

/**
 * The backups that one consists of, each checked, oldest first. Those before it are looked for among `others`, and else in its folder.
 * @throws TailraceError `invalid_params` when one isn't there
 */
export async function checkBackupChain(file: string, others: readonly string[]): Promise<CheckedBackup[]> {
  const newest = await checkBackup(file);
  const { backups } = newest.manifest;
  if (backups.length === 1) return [newest];
  const wanted = new Set(backups.map(({ id }) => id));
  const found = new Map([[newest.manifest.id, newest]]);
  for (const path of [...others, ...(await candidates(file))]) {
    const id = await idOf(path, others.includes(path));
    if (id !== undefined && wanted.has(id) && !found.has(id)) found.set(id, await checkBackup(path));
    if (found.size === wanted.size) break;
  }
  return backups.map(({ id, created_at: createdAt }) => {
    const backup = found.get(id);
    if (backup) return backup;
    throw new TailraceError(
      'invalid_params',
      `${file} goes on from the backup of ${createdAt}, and that isn't beside it: put it there, or name it with --base.`,
    );
  });
}

/** Files of the same folder that may be backups. */
async function candidates(file: string): Promise<string[]> {
  const entries = await readdir(dirname(file), { withFileTypes: true }).catch(() => []);
  // Whoever opens a named pipe waits for somebody who writes to it.
  return entries
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && entry.name !== basename(file))
    .map(({ name }) => join(dirname(file), name));
}

/** The id of a backup, by its first member; undefined for another file. */
async function idOf(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    for await (const member of readMembers(path))
      return parseJson<BackupHead>(path, HEAD_MEMBER, await member.bytes()).id;
  } catch (error) {
    if (isNamed) throw error;
  }
  return undefined;
}

async function openUnzipped(file: string): Promise<AsyncIterable<Buffer>> {
  try {
    const handle = await open(file);
    try {
      if ((await handle.stat()).isDirectory()) throw noBackup(file);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
      const isGzipped = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
      const bytes = createReadStream(file, { highWaterMark: PIECE_BYTES });
      if (!isGzipped) return bytes;
      const unzipped = createGunzip({ chunkSize: PIECE_BYTES });
      bytes.on('error', (error) => unzipped.destroy(error));
      return bytes.pipe(unzipped);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError('invalid_params', `${file} can't be read (${systemCode(error)}).`, {
      cause: error,
    });
  }
}

async function orExplain<T>(file: string, isFirst: boolean, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    if (isFirst) throw noBackup(file);
    throw damagedBackup(file, 'its end is missing, or bytes in it were changed');
  }
}

function parseJson<T>(file: string, path: string, bytes: Buffer): T {
  try {
    return JSON.parse(bytes.toString()) as T;
  } catch {
    throw damagedBackup(file, `${path} can't be read`);
  }
}

function parseManifest(file: string, bytes: Buffer): BackupManifest {
  const manifest = parseJson<unknown>(file, MANIFEST_MEMBER, bytes);
  // The checksums say what was written, not by whom.
  if (!isManifest(manifest) || manifest.backups.length === 0)
    throw damagedBackup(file, `${MANIFEST_MEMBER} is none that a backup has`);
  return manifest;
}

function assertKnown(file: string, { format }: Partial<BackupHead>): void {
  if (typeof format !== 'number') throw noBackup(file);
  if (format > BACKUP_FORMAT)
    throw new TailraceError(
      'invalid_params',
      `${file} was written by a newer version (format ${format}, this one reads up to ${BACKUP_FORMAT}): restore it with that version.`,
    );
}

function noBackup(file: string): TailraceError {
  return new TailraceError(
    'invalid_params',
    `${file} is no backup: name a file that \`tailrace backup\` has written.`,
  );
}

function damagedBackup(file: string, what: string): TailraceError {
  return new TailraceError(
    'invalid_params',
    `${file} is damaged (${what}): nothing of it was restored; take another backup.`,
  );
}
