/** Lines of a file, which may be compressed with gzip: as they are read, without holding more than some of them. */

import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { reasonOf, systemCode, TailraceError } from '../../../../src/common/errors.ts';

/** Characters of a line; what is longer isn't text. */
const LINE_LENGTH_MAX = 1_000_000;
/** RFC 1952 section 2.3.1. */
const GZIP_MAGIC = [0x1f, 0x8b];
const BYTE_ORDER_MARK = '\uFEFF';
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** What was read, decompressed. */
export interface DecompressedSink {
  update(bytes: Uint8Array): unknown;
}

/**
 * The lines of a file, some at a time, without their line ends.
 * @param name of the file, for the sentences
 * @throws TailraceError `bad_request` when it was cut off or damaged, or isn't text.
 */
export async function* textLines(
  file: Readable,
  name: string,
  sink?: DecompressedSink,
): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let isStart = true;
  try {
    for await (const chunk of decompressed(file, name)) {
      sink?.update(chunk);
      let text = decoder.write(chunk);
      if (isStart && text !== '') {
        // Editors of Windows begin files with it.
        if (text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
        isStart = false;
      }
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX)
        throw refusal(`${name} isn't text: it has a line of more than ${LINE_LENGTH_MAX} characters.`);
      if (lines.length > 0) yield lines.map(withoutReturn);
    }
  } finally {
    file.destroy();
  }
  rest += decoder.end();
  if (rest !== '') yield [withoutReturn(rest)];
}

async function* decompressed(file: Readable, name: string): AsyncGenerator<Buffer> {
  const chunks = file[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  if (first.done) return;
  const begins = (magic: readonly number[]): boolean => magic.every((byte, i) => first.value[i] === byte);
  if (begins(ZSTD_MAGIC))
    throw refusal(`${name} is compressed with zstd, which isn't read here: unpack it with "zstd -d" first.`);
  if (!begins(GZIP_MAGIC)) {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
    return;
  }
  const gunzip = createGunzip();
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  // What goes wrong on either side ends the loop below.
  pipeline(Readable.from(whole()), gunzip, () => undefined);
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    if (!systemCode(error).startsWith('Z_')) throw error;
    throw refusal(
      systemCode(error) === 'Z_BUF_ERROR'
        ? `${name} was cut off: its gzip data end too early. Fetch it again.`
        : `${name} is damaged: its gzip data can't be read (${reasonOf(error)}). Fetch it again.`,
      error,
    );
  } finally {
    gunzip.destroy();
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function refusal(message: string, cause?: unknown): TailraceError {
  return new TailraceError('bad_request', message, { cause });
}
