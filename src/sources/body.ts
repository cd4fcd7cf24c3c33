import type { IncomingMessage } from 'node:http';
import { gunzip } from 'node:zlib';
import { TailraceError } from '../errors.ts';

/**
 * Reads a request's body, gzip undone.
 * @throws TailraceError `too_large` as soon as it is known to be over `maxBytes`, packed or unpacked;
 * `bad_request` when it isn't gzip though the header says so; `unsupported_type` for other encodings.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'identity')
    throw new TailraceError(
      'unsupported_type',
      `Content-Encoding ${encoding} isn't supported: send gzip, or none.`,
    );
  if (Number(request.headers['content-length']) > maxBytes) throw tooLarge(maxBytes);
  const body = await collect(request, maxBytes);
  return encoding === 'gzip' ? unpack(body, maxBytes) : body;
}

function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.removeAllListeners('data');
        reject(tooLarge(maxBytes));
        return;
      }
      if (!first) first = chunk;
      else if (more) more.push(chunk);
      else more = [first, chunk];
    });
    request.on('end', () => resolve(more ? Buffer.concat(more, size) : (first ?? Buffer.alloc(0))));
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete)
        reject(new TailraceError('bad_request', 'The request ended in the middle of its body.'));
    });
  });
}

function unpack(body: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: maxBytes }, (error, unpacked) => {
      if (!error) resolve(unpacked);
      else if (error instanceof RangeError) reject(tooLarge(maxBytes));
      else
        reject(
          new TailraceError('bad_request', 'Bad request: the body is not valid gzip.', { cause: error }),
        );
    });
  });
}

function tooLarge(maxBytes: number): TailraceError {
  return new TailraceError('too_large', `The body is over ${maxBytes} bytes: send it in several requests.`);
}
