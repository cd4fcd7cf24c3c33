/** Unpacks archives of source code that somebody has sent. */
import { createReadStream } from 'node:fs';
import { link, lutimes, mkdir, open, symlink, unlink, utimes } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { systemCode } from '../../common/errors.ts';
import { TarError } from '../../common/tar/tar-header.ts';
import { readable, type TarMember, TarReader } from '../../common/tar/tar-reader.ts';
import { ArchiveTree } from './archive-tree.ts';
import { locate } from './slugignore.ts';

export interface Extracted {
  /** Files that are pointers of Git LFS instead of their content. */
  readonly lfsPointers: readonly string[];
}

export interface ExtractLimits {
  /** Of all files: small archives can hold very much. */
  readonly byteCountMax: number;
  /** Files, directories and links. */
  readonly entryCountMax: number;
}

/** Files up to this size are written side by side, larger ones in pieces. */
const SMALL_FILE_BYTES = 65_536;
const PIECE_BYTES = 1_048_576;
const WRITES_MAX = 16;
const UNZIPPED_CHUNK_BYTES = 65_536;

/** Begins a pointer file, which is shorter than 1,024 bytes (Git LFS specification, "The Pointer"). */
const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/');
const LFS_POINTER_BYTES_MAX = 1_024;

/**
 * Unpacks a gzipped tar file. What is read is what is written: regular files, directories, and links that stay within the
 * folder; no owners, and no setuid, setgid or sticky bits.
 *
 * @param folder an empty one. When this rejects, some of the files may be there, none of them outside of it
 * @throws TarError when the archive is damaged, too large, or has something else in it
 */
export async function extractTar(file: string, folder: string, limits: ExtractLimits): Promise<Extracted> {
  const input = createReadStream(file);
  const unzipped = createGunzip({ chunkSize: UNZIPPED_CHUNK_BYTES });
  input.on('error', (error) => unzipped.destroy(error));
  const writer = new TreeWriter(folder, limits);
  try {
    const reader = new TarReader(input.pipe(unzipped), limits.byteCountMax);
    for (let member = await reader.next(); member; member = await reader.next())
      await writer.write(member, reader);
    await writer.finish();
    return { lfsPointers: writer.lfsPointers };
  } finally {
    await writer.settle();
    input.destroy();
    unzipped.destroy();
  }
}

function isLfsPointer(content: Buffer): boolean {
  return (
    content.length < LFS_POINTER_BYTES_MAX && content.subarray(0, LFS_POINTER.length).equals(LFS_POINTER)
  );
}

class TreeWriter {
  readonly lfsPointers: string[] = [];
  private readonly folder: string;
  private readonly tree: ArchiveTree;
  private readonly directories: { readonly path: string; readonly mtimeMs: number }[] = [];
  private readonly writes = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(folder: string, limits: ExtractLimits) {
    this.folder = folder;
    this.tree = new ArchiveTree(limits.entryCountMax);
  }

  async write(member: TarMember, reader: TarReader): Promise<void> {
    const { path, newDirectories, replaces, write, source } = this.tree.add(member);
    for (const directory of newDirectories) {
      const mode = directory === path && member.type === 'directory' ? member.mode : 0o777;
      await this.run(directory, (at) => mkdir(at, (mode & 0o777) | 0o700));
    }
    if (member.type === 'directory' && path !== '') this.directories.push({ path, mtimeMs: member.mtimeMs });
    if (replaces || write === 'hard link') await this.writesDone();
    if (replaces) await this.run(path, unlink);
    if (write === 'hard link') await this.run(path, (at) => link(locate(this.folder, source), at));
    if (write === 'body') await this.writeFile(path, member, reader);
  }

  /** What has to wait for the files. */
  async finish(): Promise<void> {
    if (this.tree.isEmpty) throw new TarError('There are no files in the archive.');
    await this.writesDone();
    for (const { path, target, mtimeMs } of this.tree.links()) {
      await this.run(path, (at) => symlink(Buffer.from(target, 'latin1'), at));
      await this.run(path, (at) => lutimes(at, mtimeMs / 1_000, mtimeMs / 1_000));
    }
    for (const { path, mtimeMs } of this.directories)
      await this.run(path, (at) => utimes(at, mtimeMs / 1_000, mtimeMs / 1_000));
  }

  /** Resolves when nothing is being written any more. */
  async settle(): Promise<void> {
    await Promise.all(this.writes);
  }

  private async writeFile(path: string, member: TarMember, reader: TarReader): Promise<void> {
    if (member.byteCount > SMALL_FILE_BYTES) {
      await this.writeBody(path, member, () => reader.readBody(PIECE_BYTES));
      return;
    }
    const pieces: Buffer[] = [];
    for (let piece = await reader.readBody(SMALL_FILE_BYTES); piece; ) {
      pieces.push(piece);
      piece = await reader.readBody(SMALL_FILE_BYTES);
    }
    if (pieces.length === 1 && isLfsPointer(pieces[0])) this.lfsPointers.push(path);
    if (this.writes.size >= WRITES_MAX) await Promise.race(this.writes);
    if (this.failure) throw this.failure.error;
    const writing = this.writeBody(path, member, async () => pieces.shift())
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.writes.delete(writing));
    this.writes.add(writing);
  }

  private async writeBody(
    path: string,
    { mode, mtimeMs }: TarMember,
    nextPiece: () => Promise<Buffer | undefined>,
  ): Promise<void> {
    await this.run(path, async (at) => {
      const file = await open(at, 'wx', (mode & 0o777) | 0o400);
      try {
        for (let piece = await nextPiece(); piece; piece = await nextPiece()) await file.writeFile(piece);
        await file.utimes(mtimeMs / 1_000, mtimeMs / 1_000);
      } finally {
        await file.close();
      }
    });
  }

  private async writesDone(): Promise<void> {
    await this.settle();
    if (this.failure) throw this.failure.error;
  }

  private async run(path: string, action: (at: Buffer) => Promise<unknown>): Promise<void> {
    try {
      await action(locate(this.folder, path));
    } catch (error) {
      if (systemCode(error) !== 'ENAMETOOLONG') throw error;
      throw new TarError(`The name ${readable(path)} is too long.`, { cause: error });
    }
  }
}
