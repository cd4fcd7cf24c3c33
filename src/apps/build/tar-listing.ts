/** Reads what is in a tar archive (POSIX ustar and pax, GNU), without unpacking anything. */
import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { createGunzip } from 'node:zlib';

const BLOCK = 512;

export interface TarEntry {
  readonly path: string;
  /** The type flag: `0` file, `5` folder, `1` hard link, `2` symbolic link … */
  readonly type: string;
  readonly link: string;
  readonly byteCount: number;
}

/** An archive that must not be unpacked. The message says why. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

/**
 * Lists a gzipped tar file, and checks that unpacking it can't reach out of its folder.
 * @param byteCountMax of everything unpacked: small files can hold very much
 * @throws TarError
 */
export async function listTar(file: string, byteCountMax: number): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const pax = new Map<string, string>();
  let gnuLong: { path?: string; link?: string } = {};
  let total = 0;
  const blocks = new BlockReader(file);
  try {
    for (let header = await blocks.take(BLOCK); header.length === BLOCK; header = await blocks.take(BLOCK)) {
      if (header.every((byte) => byte === 0)) break;
      const type = String.fromCharCode(header[156] || 48);
      const byteCount = parseNumber(header.subarray(124, 136));
      total += byteCount;
      if (total > byteCountMax)
        throw new TarError(`The files are more than ${Math.round(byteCountMax / 1_048_576)} MB in all.`);
      if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
        const body = (await blocks.take(paddedLength(byteCount))).subarray(0, byteCount).toString('utf8');
        if (type === 'x') for (const [key, value] of paxRecords(body)) pax.set(key, value);
        if (type === 'L') gnuLong = { ...gnuLong, path: body.replace(/\0.*$/s, '') };
        if (type === 'K') gnuLong = { ...gnuLong, link: body.replace(/\0.*$/s, '') };
        continue;
      }
      await blocks.skip(paddedLength(byteCount));
      const prefix = parseText(header.subarray(345, 500));
      const name = parseText(header.subarray(0, 100));
      const ustarPath =
        prefix !== '' && header.subarray(257, 262).toString() === 'ustar' ? `${prefix}/${name}` : name;
      const entry = {
        path: pax.get('path') ?? gnuLong.path ?? ustarPath,
        link: pax.get('linkpath') ?? gnuLong.link ?? parseText(header.subarray(157, 257)),
        type,
        byteCount,
      };
      pax.clear();
      gnuLong = {};
      rejectPathTraversal(entry);
      entries.push(entry);
    }
  } catch (error) {
    if (error instanceof TarError) throw error;
    throw new TarError('This is no gzipped tar archive.', { cause: error });
  } finally {
    blocks.close();
  }
  if (entries.length === 0) throw new TarError('There are no files in the archive.');
  return entries;
}

function rejectPathTraversal({ path, type, link }: TarEntry): void {
  if (isOutside(path)) throw new TarError(`The archive has a file outside of its folder: ${path}`);
  if (type === '1' && isOutside(link)) throw new TarError(`${path} is a link out of the folder, to ${link}`);
  if (type === '2' && (link.startsWith('/') || isOutside(posix.join(posix.dirname(path), link))))
    throw new TarError(`${path} is a link out of the folder, to ${link}`);
  if (!'01257'.includes(type)) throw new TarError(`${path} is neither a file, a folder nor a link.`);
}

function isOutside(path: string): boolean {
  return path.startsWith('/') || path.includes('\0') || posix.normalize(path).split('/')[0] === '..';
}

function paddedLength(byteCount: number): number {
  return Math.ceil(byteCount / BLOCK) * BLOCK;
}

function parseText(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? field.length : end).toString('utf8');
}

/** Octal digits, or GNU's binary numbers. */
function parseNumber(field: Buffer): number {
  if ((field[0] & 0x80) !== 0) return Number(field.readBigUInt64BE(field.length - 8));
  const digits = parseText(field).trim();
  const value = digits === '' ? 0 : Number.parseInt(digits, 8);
  if (!Number.isInteger(value) || value < 0) throw new TarError('This is no gzipped tar archive.');
  return value;
}

/** `27 path=some/long/name\n` */
function paxRecords(body: string): [string, string][] {
  return [...body.matchAll(/\d+ ([^=\n]+)=([^\n]*)\n/g)].map(([, key, value]) => [key, value]);
}

/** The unzipped bytes in pieces of the wanted size. */
class BlockReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private readonly file;
  private rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.file = createReadStream(path);
    const unzipped = createGunzip();
    this.file.on('error', (error) => unzipped.destroy(error));
    this.chunks = this.file.pipe(unzipped)[Symbol.asyncIterator]();
  }

  /** Fewer bytes only at the end. */
  async take(byteCount: number): Promise<Buffer> {
    const parts = [this.rest];
    let have = this.rest.length;
    while (have < byteCount) {
      const { value, done } = await this.chunks.next();
      if (done) break;
      parts.push(value);
      have += value.length;
    }
    const all = Buffer.concat(parts);
    this.rest = all.subarray(byteCount);
    return all.subarray(0, byteCount);
  }

  async skip(byteCount: number): Promise<void> {
    for (let left = byteCount; left > 0; ) {
      const piece = await this.take(Math.min(left, 1_048_576));
      if (piece.length === 0) throw new TarError('The archive is cut off.');
      left -= piece.length;
    }
  }

  close(): void {
    this.file.destroy();
  }
}
