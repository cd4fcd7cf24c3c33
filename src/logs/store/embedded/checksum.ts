/**
 * CRC-32 (ISO-HDLC, as in gzip) of what the embedded store keeps. Node.js computes it; large pieces are computed 2.4 times as fast by an
 * optional native package, which gives the same numbers. Why not CRC-32C: docs/decisions/0039-every-byte-is-checked.md.
 */
import { createRequire } from 'node:module';
import { crc32 as nodeCrc32 } from 'node:zlib';

type Crc32 = (bytes: Uint8Array, seed: number) => number;

/** From here on the native package is worth its call. It is loaded with the first piece of this size: most commands never need it. */
const LARGE_BYTES = 4_096;

let largeCrc32: Crc32 | undefined;

/**
 * The CRC-32 of bytes.
 * @param seed the CRC-32 of what counts as being in front of them
 */
export function crc32(bytes: Uint8Array, seed = 0): number {
  if (bytes.length < LARGE_BYTES) return nodeCrc32(bytes, seed);
  largeCrc32 ??= loadNative() ?? nodeCrc32;
  return largeCrc32(bytes, seed);
}

/** Undefined where there is none for this machine. */
function loadNative(): Crc32 | undefined {
  try {
    const { crc32: native }: { crc32: Crc32 } = createRequire(import.meta.url)('@node-rs/crc32');
    const probe = new Uint8Array(LARGE_BYTES).map((_, i) => i * 31);
    return native(probe, 1) === nodeCrc32(probe, 1) ? native : undefined;
  } catch {
    return undefined;
  }
}
