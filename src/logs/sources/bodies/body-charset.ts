/** In which encoding the text of a body is: declared with its type, or shown by its first bytes. */
import { TextDecoder } from 'node:util';
import { TailraceError } from '../../../common/errors.ts';
import { TimeSlices } from '../../../common/limits/turns.ts';

/** What Node.js before 23.7 decodes as ISO 8859-1, where the web's standard has windows-1252 for both names. */
const HIGH_CONTROLS = /[\x80-\x9f]/g;
const WINDOWS_1252: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from('€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ', (character, i) => [
    String.fromCharCode(0x80 + i),
    character,
  ]),
);
/** Bytes that are decoded at a time. */
const SLICE_BYTES = 65_536;
/** What needs no decoding. */
const UTF8_NAMES = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
const CHARSET = /;\s{0,10}charset\s{0,10}=\s{0,10}"?([^\s";]{1,60})"?/i;

/**
 * The decoder for the charset of a `Content-Type`; undefined for UTF-8, and when none is declared.
 * @throws TailraceError `unsupported_type` for an unknown one.
 */
export function declaredDecoder(contentType: string | undefined): TextDecoder | undefined {
  const name = CHARSET.exec(contentType ?? '')?.[1].toLowerCase();
  if (name === undefined || UTF8_NAMES.has(name)) return undefined;
  try {
    return new TextDecoder(name);
  } catch (cause) {
    throw new TailraceError('unsupported_type', `The charset ${name} isn't known: send UTF-8.`, { cause });
  }
}

/** UTF-16, when a body begins with its byte order mark. */
export function detectDecoder(body: Buffer): TextDecoder | undefined {
  const [first, second] = body;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le');
  return first === 0xfe && second === 0xff ? new TextDecoder('utf-16be') : undefined;
}

/**
 * A body in UTF-8, decoded in slices.
 * @throws TailraceError `too_large` when it is over `maxBytes` then.
 */
export async function decodeToUtf8(body: Buffer, decoder: TextDecoder, maxBytes: number): Promise<Buffer> {
  const slices = new TimeSlices();
  const isWindows = decoder.encoding === 'windows-1252';
  const parts: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < body.length; at += SLICE_BYTES) {
    const isLast = at + SLICE_BYTES >= body.length;
    const text = decoder.decode(body.subarray(at, at + SLICE_BYTES), { stream: !isLast });
    const part = Buffer.from(isWindows ? text.replace(HIGH_CONTROLS, (one) => WINDOWS_1252[one]) : text);
    size += part.length;
    if (size > maxBytes)
      throw new TailraceError(
        'too_large',
        `The body is over ${maxBytes} bytes in UTF-8: send it in several requests.`,
      );
    parts.push(part);
    if (slices.isOver) await slices.next();
  }
  return Buffer.concat(parts, size);
}
