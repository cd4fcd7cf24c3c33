/** Reads a tar archive member by member, strictly: what two programs could read differently is refused. */
import { systemCode } from '../errors.ts';
import {
  applyPaxRecords,
  damaged,
  type HeaderOverrides,
  isZeroBlock,
  paddedByteCount,
  parsePaxRecords,
  parseTarHeader,
  parseText,
  TAR_BLOCK_BYTES,
  TarError,
  type TarHeader,
} from './tar-header.ts';

/** What can be written. */
type MemberType = 'file' | 'hard link' | 'symbolic link' | 'directory';

export interface TarMember extends Omit<TarHeader, 'type'> {
  readonly type: MemberType;
}

/** By type flag. Contiguous files are files. */
const MEMBER_TYPES: Readonly<Record<string, MemberType>> = {
  '0': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '5': 'directory',
  '7': 'file',
};

/** Names and records of one member at most. */
const EXTENDED_HEADER_BYTES_MAX = 1_048_576;

/** Reads one archive: `next()` until it returns undefined, and `readBody()` in between. */
export class TarReader {
  private readonly bytes: ByteReader;
  private readonly byteCountMax: number;
  /** Of all bodies so far: each is counted before it is read. */
  private byteCount = 0;
  /** What is left of the current member's body, and of the zeros that fill up its last block. */
  private bodyLeft = 0;
  private paddingLeft = 0;

  /**
   * @param chunks the archive's bytes, unzipped
   * @param byteCountMax of all bodies together
   */
  constructor(chunks: AsyncIterable<Buffer>, byteCountMax: number) {
    this.bytes = new ByteReader(chunks);
    this.byteCountMax = byteCountMax;
  }

  /** The next member; undefined at the end of the archive. @throws TarError */
  async next(): Promise<TarMember | undefined> {
    await this.skipBody();
    const overrides: HeaderOverrides = {};
    for (let isFirst = true; ; isFirst = false) {
      const block = await this.bytes.take(TAR_BLOCK_BYTES);
      if (isZeroBlock(block) && isFirst) return this.end();
      const header = parseTarHeader(block);
      if ('xgLK'.includes(header.type)) await this.readExtendedHeader(header, overrides);
      else return this.begin(header, overrides);
    }
  }

  /** The next piece of the member's body, at most `byteCountMax` bytes; undefined at its end. @throws TarError */
  async readBody(byteCountMax: number): Promise<Buffer | undefined> {
    if (this.bodyLeft === 0) return undefined;
    const piece = await this.bytes.takeSome(Math.min(byteCountMax, this.bodyLeft));
    this.bodyLeft -= piece.length;
    return piece;
  }

  private begin(header: TarHeader, overrides: HeaderOverrides): TarMember {
    const path = overrides.path ?? header.path;
    let type = MEMBER_TYPES[header.type];
    if (!type) throw new TarError(`${readable(path)} is neither a file, a folder nor a link.`);
    // The oldest archives have no type for directories.
    if (type === 'file' && path.endsWith('/')) type = 'directory';
    const byteCount = overrides.byteCount ?? header.byteCount;
    // Some programs skip such a body, others take it for the next header.
    if (type !== 'file' && byteCount > 0) throw damaged();
    this.count(byteCount);
    this.bodyLeft = byteCount;
    this.paddingLeft = paddedByteCount(byteCount) - byteCount;
    return {
      ...header,
      path,
      type,
      byteCount,
      linkPath: overrides.linkPath ?? header.linkPath,
      mtimeMs: overrides.mtimeMs ?? header.mtimeMs,
    };
  }

  private async readExtendedHeader(
    { type, byteCount }: TarHeader,
    overrides: HeaderOverrides,
  ): Promise<void> {
    if (byteCount > EXTENDED_HEADER_BYTES_MAX) throw damaged();
    // However many there are, they end with the count.
    this.count(TAR_BLOCK_BYTES + byteCount);
    const body = await this.bytes.take(byteCount);
    await this.bytes.take(paddedByteCount(byteCount) - byteCount);
    if (type === 'L') overrides.path = parseText(body) || undefined;
    else if (type === 'K') overrides.linkPath = parseText(body) || undefined;
    else {
      const records = parsePaxRecords(body);
      if (type === 'x') applyPaxRecords(overrides, records);
      // Of all members alike there is nothing to know: git has the commit's name here.
      else if (records.some(([key]) => ['path', 'linkpath', 'size'].includes(key))) throw damaged();
    }
  }

  private count(byteCount: number): void {
    this.byteCount += byteCount;
    if (this.byteCount > this.byteCountMax)
      throw new TarError(`The files are more than ${Math.round(this.byteCountMax / 1_048_576)} MB in all.`);
  }

  private async skipBody(): Promise<void> {
    while (this.bodyLeft > 0) await this.readBody(this.bodyLeft);
    await this.bytes.take(this.paddingLeft);
    this.paddingLeft = 0;
  }

  /** Reads what fills up the last record: the archive is whole only if it can be unzipped to its end. */
  private async end(): Promise<undefined> {
    for (let rest = await this.bytes.read(); rest; rest = await this.bytes.read()) this.count(rest.length);
    return undefined;
  }
}

/** A name of an archive for messages. */
export function readable(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

function truncated(cause?: unknown): TarError {
  return new TarError('The archive is cut off.', { cause });
}

/** Bytes in pieces of the wanted size. */
class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** All that were asked for. @throws TarError when there are fewer */
  async take(byteCount: number): Promise<Buffer> {
    if (this.rest.length < byteCount) {
      const parts = [this.rest];
      for (let have = this.rest.length; have < byteCount; ) {
        this.rest = Buffer.alloc(0);
        const chunk = await this.read();
        if (!chunk) throw truncated();
        parts.push(chunk);
        have += chunk.length;
      }
      this.rest = Buffer.concat(parts);
    }
    const taken = this.rest.subarray(0, byteCount);
    this.rest = this.rest.subarray(byteCount);
    return taken;
  }

  /** At least a byte, and no more than is there already. @throws TarError at the end */
  async takeSome(byteCountMax: number): Promise<Buffer> {
    while (this.rest.length === 0) {
      const chunk = await this.read();
      if (!chunk) throw truncated();
      this.rest = chunk;
    }
    return this.take(Math.min(byteCountMax, this.rest.length));
  }

  /** Whatever comes next; undefined at the end. @throws TarError when it can't be unzipped */
  async read(): Promise<Buffer | undefined> {
    if (this.rest.length > 0) {
      const rest = this.rest;
      this.rest = Buffer.alloc(0);
      return rest;
    }
    try {
      const { value, done } = await this.chunks.next();
      return done ? undefined : value;
    } catch (error) {
      throw systemCode(error) === 'Z_BUF_ERROR' ? truncated(error) : damaged(error);
    }
  }
}
