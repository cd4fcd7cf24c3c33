import type { IncomingMessage } from 'node:http';
import * as zlib from 'node:zlib';
import { ChunkList } from '../../../common/buffers/chunk-list.ts';
import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { TailraceError } from '../../../common/errors.ts';
import { trimOws } from '../../../common/http/fields.ts';
import type { BodyReservation } from './body-memory.ts';
import { INFLATE_PACKED_BYTES, INFLATE_UNPACKED_BYTES, inflateGzip } from './wasm/wasm-inflate.ts';
import { zstdFrames } from './zstd-frame.ts';

/** As Node's zlib has them. */
export type Decompress = (
  body: Buffer,
  options: zlib.ZlibOptions,
  done: (error: Error | null, unpacked: Buffer) => void,
) => void;

/** Bytes that are unpacked at a time: each time the main thread takes them over. */
const UNPACKED_BYTES = 131_072;
/** A body of gzip is unpacked at once when it is small, before and afterwards. */
export const QUICK_PACKED_BYTES = INFLATE_PACKED_BYTES;
const QUICK_UNPACKED_BYTES = INFLATE_UNPACKED_BYTES;
/** Header and trailer (RFC 1952 section 2.3). */
const GZIP_BYTES_MIN = 18;
/** Of zlib. */
const MIN_CHUNK_BYTES = 64;
/** Zstandard frames in a body: each is unpacked on its own. */
const ZSTD_FRAMES_MAX = 1_000;

/** Zstandard is in Node 22.15 and later. */
const zstd: unknown = 'zstdDecompress' in zlib ? zlib.zstdDecompress : undefined;
export const DECOMPRESSORS: Readonly<Record<string, Decompress>> = {
  gzip: zlib.gunzip,
  'x-gzip': zlib.gunzip,
  ...(isDecompress(zstd) ? { zstd } : {}),
};

function isDecompress(value: unknown): value is Decompress {
  return typeof value === 'function';
}

/**
 * Reads a request's body, decompressed.
 * @param memory counts what it takes.
 * @param decompressors by Content-Encoding.
 * @throws TailraceError `too_large` as soon as it is known to be over `maxBytes`, compressed or not;
 * `bad_request` when it isn't valid in its Content-Encoding; `unsupported_type` for other encodings, and for a Transfer-Encoding that is
 * more than chunks: Node.js leaves that to us.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  memory: BodyReservation,
  decompressors = DECOMPRESSORS,
): Promise<Buffer> {
  const coding = request.headers['transfer-encoding'];
  if (coding !== undefined && trimOws(coding).toLowerCase() !== 'chunked')
    throw new TailraceError(
      'unsupported_type',
      `Transfer-Encoding ${coding} isn't supported: send it in chunks alone, and name what packs the body in Content-Encoding.`,
    );
  const encoding = request.headers['content-encoding']?.toLowerCase();
  const isCompressed = encoding !== undefined && encoding !== '' && encoding !== 'identity';
  const decompressor =
    isCompressed && Object.hasOwn(decompressors, encoding) ? decompressors[encoding] : undefined;
  if (isCompressed && !decompressor) throw unsupportedEncoding(encoding, decompressors);
  if (Number(request.headers['content-length']) > maxBytes) throw tooLarge(maxBytes);
  const body = await collect(request, maxBytes, memory);
  if (!decompressor) return body;
  const unpacked = await unpack(body, maxBytes, decompressor, String(encoding));
  memory.add(unpacked.length);
  return unpacked;
}

async function unpack(
  body: Buffer,
  maxBytes: number,
  decompressor: Decompress,
  encoding: string,
): Promise<Buffer> {
  const quick = decompressor === zlib.gunzip ? gunzipQuickly(body) : undefined;
  if (quick && quick.length <= maxBytes) return quick;
  if (encoding !== 'zstd') return decompress(body, maxBytes, decompressor, encoding);
  const frames = zstdFrames(body);
  if (!frames) throw invalidEncoding(encoding);
  if (frames.length > ZSTD_FRAMES_MAX)
    throw new TailraceError('too_large', `The body has over ${ZSTD_FRAMES_MAX} zstd frames: send fewer.`);
  const parts: Buffer[] = [];
  let left = maxBytes;
  for (const frame of frames) {
    const part = await decompress(frame, Math.max(1, left), decompressor, encoding);
    left -= part.length;
    if (left < 0) throw tooLarge(maxBytes);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** Unpacks a small body at once, which takes less than handing it to a thread; undefined when it isn't small, or can't be unpacked. */
export function gunzipQuickly(body: Buffer): Buffer | undefined {
  if (body.length > QUICK_PACKED_BYTES || body.length < GZIP_BYTES_MIN) return undefined;
  // What the trailer says that is unpacked (RFC 1952 section 2.3.1): the whole of a body that is one member.
  const size = body.readUInt32LE(body.length - 4);
  if (size > QUICK_UNPACKED_BYTES) return undefined;
  const inflated = inflateGzip(body);
  if (inflated) return inflated;
  // What the fast path leaves alone.
  try {
    // With one byte more it is one buffer, and known to be all.
    const options = { maxOutputLength: size + 1, chunkSize: Math.max(MIN_CHUNK_BYTES, size + 1) };
    return ownBuffer(zlib.gunzipSync(body, options));
  } catch {
    // More than it says (it has several members, or is made to look small), or it isn't valid: what is said of it is decided in one place.
    return undefined;
  }
}

/** The same bytes in memory that has nothing else in it, and can be given back. */
function ownBuffer(bytes: Buffer): Buffer {
  const { buffer } = bytes;
  // Smaller ones are from a pool.
  if (bytes.length <= Buffer.poolSize || buffer.byteLength === bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  detachBuffer(new Uint8Array(buffer));
  return own;
}

function collect(request: IncomingMessage, maxBytes: number, memory: BodyReservation): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks = new ChunkList();
    request.on('data', (chunk: Buffer) => {
      try {
        if (chunks.length + chunk.length > maxBytes) throw tooLarge(maxBytes);
        memory.add(chunk.length);
      } catch (error) {
        request.removeAllListeners('data'); // the rest is for `discardBody`
        reject(error);
        return;
      }
      chunks.add(chunk);
    });
    request.on('end', () => resolve(chunks.take()));
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete)
        reject(new TailraceError('bad_request', 'The request ended in the middle of its body.'));
    });
  });
}

function decompress(
  body: Buffer,
  maxBytes: number,
  decompressor: Decompress,
  encoding: string,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    decompressor(
      body,
      { maxOutputLength: maxBytes, chunkSize: chunkSizeFor(body, maxBytes) },
      (error, unpacked) => {
        if (!error) resolve(unpacked);
        else if (error instanceof RangeError) reject(tooLarge(maxBytes));
        else reject(invalidEncoding(encoding, error));
      },
    );
  });
}

/** A small body stays small in most cases. */
function chunkSizeFor({ length }: Buffer, maxBytes: number): number {
  return Math.max(1_024, Math.min(UNPACKED_BYTES, maxBytes, length * 8));
}

function invalidEncoding(encoding: string, cause?: unknown): TailraceError {
  return new TailraceError('bad_request', `Bad request: the body is not valid ${encoding}.`, { cause });
}

function unsupportedEncoding(encoding: string, supported: object): TailraceError {
  const sentence =
    encoding === 'zstd'
      ? `Content-Encoding zstd isn't supported by Node.js ${process.versions.node.split('.')[0]}: send gzip or none, or run tailrace on Node.js 22.15 or later.`
      : `Content-Encoding ${encoding} isn't supported: send ${Object.keys(supported)
          .filter((name) => !name.startsWith('x-'))
          .join(' or ')}, or none.`;
  return new TailraceError('unsupported_type', sentence);
}

function tooLarge(maxBytes: number): TailraceError {
  return new TailraceError('too_large', `The body is over ${maxBytes} bytes: send it in several requests.`);
}
