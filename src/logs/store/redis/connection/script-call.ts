/**
 * A call of a script, written as Redis reads it (RESP: an array of bulk strings) into one buffer. The client would make a string or
 * buffer of each argument and join them; a call that appends batches of hundreds of apps has thousands.
 */
import { Command } from 'ioredis';

/** `*<parts>\r\n$7\r\nEVALSHA\r\n$40\r\n<sha>\r\n$<digits>\r\n<keys>\r\n` at the most. */
const HEAD_BYTES = 128;
const LINE_END = 2;
/** `$<digits>\r\n` at the most. */
const LENGTH_BYTES = 16;
const DOLLAR = 0x24;
const RETURN = 0x0d;
const NEWLINE = 0x0a;
const ZERO = 0x30;

/** Bytes that a bulk string takes. */
export function bulkBytes(length: number): number {
  return LENGTH_BYTES + length + LINE_END;
}

/** Bulk strings, as Redis reads them, of texts that are ASCII; for {@link ScriptCall.addEncoded}. */
export function encodeBulk(texts: readonly (string | number)[]): Buffer {
  return Buffer.from(texts.map((text) => `$${String(text).length}\r\n${text}\r\n`).join(''), 'latin1');
}

/** Written once, in the order keys, then arguments, and sent as {@link command} gives it. It checks no bounds: its maker has counted the bytes. */
export class ScriptCall {
  /** Bytes that a call takes besides its bulk strings. */
  static readonly headBytes = HEAD_BYTES;
  /** Where it is written; who made the call writes the content of bulk strings into it. */
  readonly bytes: Buffer;
  private readonly keyCount: number;
  private end = HEAD_BYTES;
  /** Where the content of the argument begins that is written now. */
  private contentAt = 0;
  private parts = 0;

  /** @param bytes has room for {@link headBytes} and all keys and arguments. */
  constructor(bytes: Buffer, keyCount: number) {
    this.bytes = bytes;
    this.keyCount = keyCount;
  }

  /** Adds keys or arguments that were encoded before, so many of them. */
  addEncoded(encoded: Uint8Array, count: number): void {
    this.bytes.set(encoded, this.end);
    this.end += encoded.length;
    this.parts += count;
  }

  /** Begins an argument of this length at the most; returns where its content has to be written, before {@link endBulk}. */
  beginBulk(lengthMax: number): number {
    this.contentAt = writeLength(this.bytes, this.end, lengthMax);
    return this.contentAt;
  }

  /** The content of the argument ends here. */
  endBulk(contentEnd: number): void {
    const { bytes, contentAt } = this;
    const length = contentEnd - contentAt;
    const at = writeLength(bytes, this.end, length);
    // Shorter than it might have been, by a digit of its length.
    if (at !== contentAt) bytes.copyWithin(at, contentAt, contentEnd);
    bytes[at + length] = RETURN;
    bytes[at + length + 1] = NEWLINE;
    this.end = at + length + LINE_END;
    this.parts++;
  }

  /** The whole command: `EVALSHA` with a digest, or `EVAL` with a source. */
  command(name: 'evalsha' | 'eval', script: string): Buffer {
    const { bytes, keyCount, end } = this;
    const length = Buffer.byteLength(script);
    const head = `*${this.parts + 3}\r\n$${name.length}\r\n${name}\r\n$${length}\r\n${script}\r\n${encodeBulk([keyCount]).toString('latin1')}`;
    if (name === 'eval') return Buffer.concat([Buffer.from(head), bytes.subarray(HEAD_BYTES, end)]);
    const start = HEAD_BYTES - head.length;
    bytes.write(head, start, 'latin1');
    return bytes.subarray(start, end);
  }
}

/** A command that is encoded already. */
export class EncodedCommand extends Command {
  private readonly encoded: Buffer;

  /** @param args those by which a Cluster's client finds the server. */
  constructor(name: string, args: string[], encoded: Buffer) {
    super(name, args);
    this.encoded = encoded;
  }

  override toWritable(): Buffer {
    return this.encoded;
  }
}

/** Writes `$<length>\r\n`; returns where the content begins. */
function writeLength(bytes: Buffer, start: number, length: number): number {
  let at = start;
  bytes[at++] = DOLLAR;
  let digits = 1;
  for (let limit = 10; length >= limit; limit *= 10) digits++;
  let rest = length;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    bytes[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  at += digits;
  bytes[at++] = RETURN;
  bytes[at++] = NEWLINE;
  return at;
}
