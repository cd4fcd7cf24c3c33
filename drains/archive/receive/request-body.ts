/**
 * Reads a request's body, and decompresses gzip. Memory is bounded twice: per body, so that a small gzip cannot become a
 * large buffer (a decompression bomb), and for all bodies together by a {@link MemoryBudget}.
 */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ChunkList } from '../../../src/common/buffers/chunk-list.ts';

export type BodyError = 'too large' | 'no memory' | 'not gzip' | 'cut off';

/** Bytes that the bodies of all requests together may take. */
export class MemoryBudget {
  private available: number;

  constructor(byteCount: number) {
    this.available = byteCount;
  }

  /** False when so many bytes would be too many; nothing is taken then. */
  acquire(byteCount: number): boolean {
    if (byteCount > this.available) return false;
    this.available -= byteCount;
    return true;
  }

  /** Gives back what {@link acquire} took. */
  release(byteCount: number): void {
    this.available += byteCount;
  }
}

/** The caller releases the body's length to the budget when it is done with it. */
export async function readBody(
  request: IncomingMessage,
  isGzip: boolean,
  bytesMax: number,
  budget: MemoryBudget,
): Promise<Buffer | BodyError> {
  const source: Readable = isGzip ? request.pipe(createGunzip()) : request;
  const chunks = new ChunkList();
  const error = await new Promise<BodyError | undefined>((resolve) => {
    source.on('data', (chunk: Buffer) => {
      if (chunks.length + chunk.length > bytesMax) return resolve('too large');
      if (!budget.acquire(chunk.length)) return resolve('no memory');
      chunks.add(chunk);
    });
    source.on('end', () => resolve(undefined));
    source.on('error', () => resolve(isGzip ? 'not gzip' : 'cut off'));
    request.on('error', () => resolve('cut off'));
    request.on('close', () => {
      if (!request.complete) resolve('cut off');
    });
  });
  if (error === undefined) return chunks.take();
  budget.release(chunks.length);
  source.removeAllListeners('data');
  if (isGzip) {
    request.unpipe();
    source.destroy();
  }
  // The rest is read and discarded: a sender whose connection is reset in the middle never sees the response.
  request.resume();
  return error;
}
