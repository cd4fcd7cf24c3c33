/** In which codings clients send bodies, besides those that every part of this server takes. */
import { brotliDecompress, inflate, inflateRaw } from 'node:zlib';
import { DECOMPRESSORS, type Decompress } from '../../../../logs/sources/bodies/read-body.ts';

/** With the header of zlib, as it should be (RFC 9110 section 8.4.1.2), or without it, as it often is. */
const deflated: Decompress = (body, options, done) =>
  inflate(body, options, (error, unpacked) => {
    if (error && !(error instanceof RangeError)) inflateRaw(body, options, done);
    else done(error, unpacked);
  });

export const EVENT_DECOMPRESSORS: Readonly<Record<string, Decompress>> = {
  ...DECOMPRESSORS,
  deflate: deflated,
  br: (body, { maxOutputLength, chunkSize }, done) =>
    brotliDecompress(body, { maxOutputLength, chunkSize }, done),
};

/** An event as old clients sent it: base64 of what zlib has packed, in place of JSON. */
export function readPackedEvent(body: Buffer, maxBytes: number): Promise<Buffer> {
  // JSON begins with a brace; base64 can't have one.
  if (body.length === 0 || body.subarray(0, 64).includes('{')) return Promise.resolve(body);
  const bytes = Buffer.from(body.toString('latin1'), 'base64');
  return new Promise((resolve) =>
    deflated(bytes, { maxOutputLength: maxBytes }, (error, unpacked) => resolve(error ? body : unpacked)),
  );
}
