/**
 * Reads a request's body, unpacking gzip on the way. What is kept in memory is bounded twice: per body, so that a small
 * gzip cannot become a large buffer, and for all bodies together by an `Allowance`.
 */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export type BodyProblem = 'too large' | 'no memory' | 'not gzip' | 'cut off';

/** Bytes that all requests together may hold. */
export class Allowance {
  #left: number;

  constructor(byteCount: number) {
    this.#left = byteCount;
  }

  take(byteCount: number): boolean {
    if (byteCount > this.#left) return false;
    this.#left -= byteCount;
    return true;
  }

  giveBack(byteCount: number): void {
    this.#left += byteCount;
  }
}

/** The caller gives the body's length back to the allowance when it is done with it. */
export async function readBody(
  request: IncomingMessage,
  isGzip: boolean,
  bytesMax: number,
  allowance: Allowance,
): Promise<Buffer | BodyProblem> {
  const source: Readable = isGzip ? request.pipe(createGunzip()) : request;
  const chunks: Buffer[] = [];
  let byteCount = 0;
  const problem = await new Promise<BodyProblem | undefined>((resolve) => {
    source.on('data', (chunk: Buffer) => {
      if (byteCount + chunk.length > bytesMax) return resolve('too large');
      if (!allowance.take(chunk.length)) return resolve('no memory');
      byteCount += chunk.length;
      chunks.push(chunk);
    });
    source.on('end', () => resolve(undefined));
    source.on('error', () => resolve(isGzip ? 'not gzip' : 'cut off'));
    request.on('error', () => resolve('cut off'));
    request.on('close', () => {
      if (!request.complete) resolve('cut off');
    });
  });
  if (problem === undefined) return Buffer.concat(chunks, byteCount);
  allowance.giveBack(byteCount);
  source.removeAllListeners('data');
  if (isGzip) {
    request.unpipe();
    source.destroy();
  }
  // What is still coming is read and forgotten: a sender that is cut off in the middle never sees the answer.
  request.resume();
  return problem;
}
