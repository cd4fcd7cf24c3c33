/**
 * The blocks and records of tar archives: POSIX ustar and pax (IEEE Std 1003.1, `pax`, "EXTENDED DESCRIPTION"), GNU and
 * V7. Pure functions on bytes. Names are kept byte for byte, one character a byte (`latin1`): they need not be UTF-8.
 */

/** Archives consist of blocks of so many bytes. */
export const TAR_BLOCK_BYTES = 512;

/** The latest time of a `Date`. */
const TIME_MS_MAX = 8.64e15;

/** An archive that can't or must not be unpacked. The message says why. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

export interface TarHeader {
  /** One character a byte. */
  readonly path: string;
  /** The type flag: `0` file, `5` directory, `1` hard link, `2` symbolic link, `x` pax records … */
  readonly type: string;
  /** One character a byte; '' for none. */
  readonly linkPath: string;
  readonly byteCount: number;
  /** Permission bits, with those for setuid, setgid and sticky. */
  readonly mode: number;
  readonly mtimeMs: number;
}

/** What extended headers (pax) and GNU's long names change of the header that follows them. */
export interface HeaderOverrides {
  path?: string;
  linkPath?: string;
  byteCount?: number;
  mtimeMs?: number;
}

/** @throws TarError unless the block is a header with the right checksum */
export function parseTarHeader(block: Buffer): TarHeader {
  const expected = parseNumber(block.subarray(148, 156));
  if (expected !== checksum(block, false) && expected !== checksum(block, true)) throw damaged();
  const name = parseText(block.subarray(0, 100));
  // GNU's own format has other things in the place of the prefix.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? parseText(block.subarray(345, 500)) : '';
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] || 48),
    linkPath: parseText(block.subarray(157, 257)),
    byteCount: parseNumber(block.subarray(124, 136)),
    mode: parseNumber(block.subarray(100, 108)) & 0o7777,
    mtimeMs: parseTime(block.subarray(136, 148)),
  };
}

/** A block of zeros, which ends an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Bytes that a body takes in the archive: whole blocks. */
export function paddedByteCount(byteCount: number): number {
  return Math.ceil(byteCount / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

/**
 * Reads `27 path=some/long/name\n…` (pax).
 *
 * @param body bytes of an extended header
 * @returns in their order: of two with the same key the later one counts
 * @throws TarError when a record is malformed
 */
export function parsePaxRecords(body: Buffer): [key: string, value: string][] {
  const records: [string, string][] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const digits = body.toString('latin1', at, space === -1 ? at : Math.min(space, at + 12));
    const end = at + Number(digits);
    if (!/^[1-9]\d*$/.test(digits) || end > body.length || body[end - 1] !== 0x0a) throw damaged();
    const equals = body.indexOf(0x3d, space);
    if (equals <= space + 1 || equals >= end) throw damaged();
    records.push([body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/**
 * Adds pax records to what is known of the next member. An empty value takes an earlier one back, as POSIX has it.
 *
 * @throws TarError for what would make a member something else than its header says
 */
export function applyPaxRecords(overrides: HeaderOverrides, records: readonly [string, string][]): void {
  for (const [key, value] of records) {
    if (key === 'path') overrides.path = value || undefined;
    else if (key === 'linkpath') overrides.linkPath = value || undefined;
    else if (key === 'size') overrides.byteCount = value === '' ? undefined : parseDecimal(value);
    else if (key === 'mtime') overrides.mtimeMs = clampTime(Number(value) * 1_000);
    else if (key.startsWith('GNU.sparse.') || key === 'SCHILY.realsize')
      throw new TarError('The archive has sparse files: pack them without --sparse.');
  }
}

/** The text up to the first NUL. */
export function parseText(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? field.length : end);
}

/** The error for bytes that no writer of archives would have written. */
export function damaged(cause?: unknown): TarError {
  return new TarError('This is no gzipped tar archive.', { cause });
}

/** Octal digits, or GNU's binary numbers (base 256). */
function parseNumber(field: Buffer): number {
  if ((field[0] & 0x80) !== 0) {
    let value = BigInt(field[0] & 0x7f);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    // Those below zero begin with 0xff: too large as well.
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged();
    return Number(value);
  }
  const digits = parseText(field).trim();
  if (!/^[0-7]*$/.test(digits)) throw damaged();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** @returns milliseconds; 0 for times before 1970 and other odd ones */
function parseTime(field: Buffer): number {
  try {
    return clampTime(parseNumber(field) * 1_000);
  } catch {
    return 0;
  }
}

function clampTime(ms: number): number {
  return ms >= 0 && ms <= TIME_MS_MAX ? ms : 0;
}

function parseDecimal(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw damaged();
  return value;
}

/** Of all bytes, with those of the checksum itself as spaces. Old programs took bytes as signed. */
function checksum(block: Buffer, isSigned: boolean): number {
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK_BYTES; i += 1) {
    const byte = i >= 148 && i < 156 ? 0x20 : block[i];
    sum += isSigned && byte > 127 ? byte - 256 : byte;
  }
  return sum;
}

/** A member that is written: a regular file of the owner alone. */
export interface WrittenMember {
  /** Without a NUL; in ASCII. */
  readonly path: string;
  readonly byteCount: number;
  readonly mtimeMs: number;
}

/** What goes in front of a member's bytes: its header, and pax records before it where its name or size doesn't fit into that. */
export function encodeTarHeader({ path, byteCount, mtimeMs }: WrittenMember): Buffer {
  const records: string[] = [];
  if (path.length > NAME_BYTES_MAX) records.push(paxRecord('path', path));
  if (byteCount > OCTAL_MAX) records.push(paxRecord('size', String(byteCount)));
  const body = Buffer.from(records.join(''), 'latin1');
  const header = headerBlock(
    path.slice(0, NAME_BYTES_MAX),
    '0',
    byteCount > OCTAL_MAX ? 0 : byteCount,
    mtimeMs,
  );
  if (body.length === 0) return header;
  return Buffer.concat([
    headerBlock('pax', 'x', body.length, mtimeMs),
    body,
    Buffer.alloc(paddedByteCount(body.length) - body.length),
    header,
  ]);
}

/** Two blocks of zeros. */
export function encodeTarEnd(): Buffer {
  return Buffer.alloc(2 * TAR_BLOCK_BYTES);
}

const NAME_BYTES_MAX = 100;
/** Eleven octal digits. */
const OCTAL_MAX = 0o77777777777;

function headerBlock(path: string, type: string, byteCount: number, mtimeMs: number): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  block.write(path, 0, 'latin1');
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(byteCount, 124, 11);
  octal(Math.max(0, Math.floor(mtimeMs / 1_000)), 136, 11);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(checksum(block, false), 148, 6);
  block[154] = 0;
  block[155] = 0x20;
  return block;
}

/** `27 path=some/long/name\n`: the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}
