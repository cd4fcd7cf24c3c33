/**
 * Encodes a batch's lines for syslog over TCP. Every frame is octet counted, in bytes, and its message ends with exactly one
 * newline: receivers that read line by line would join frames without it. Heroku's form is written by `heroku-frames.ts`.
 */
import { RECORD_HEADER, type RecordCursor } from './batch.ts';
import type { FrameForm } from './wasm/wasm-codec.ts';

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** A wire format. */
export interface LineEncoder {
  /** Parameters with which the WebAssembly fast path writes the same: see `encodeFrames`. */
  readonly fastPath: FrameForm;
  /** Appends the lines under the cursor to `out` from `at` on, `count` at the most; returns the new end. */
  encode(lines: RecordCursor, bytes: Uint8Array, count: number, out: Uint8Array, at: number): number;
  /** Bytes a line may take beyond its record in the batch. */
  readonly overheadBytes: number;
}

/**
 * `83 <40>1 2012-11-30T06:45:29+00:00 d.<uuid> app web.3 - - State changed…`: RFC 5424 over RFC 6587, with
 * `hostname` (Heroku: the drain's token) in the place of HOSTNAME, or the sender's own when it is undefined.
 */
export function syslogLineEncoder(hostname: string | undefined): LineEncoder {
  const host = hostname === undefined ? undefined : Buffer.from(`${hostname} `);
  const hostLength = host?.length ?? 0;
  return {
    fastPath: {
      head: host ?? new Uint8Array(0),
      heroku: false,
      keepHost: host === undefined,
      singleLine: false,
    },
    overheadBytes: hostLength + 10 - RECORD_HEADER + 8,
    encode(lines, bytes, count, out, at) {
      const { buffer, byteOffset } = bytes;
      while (count-- > 0 && lines.advance()) {
        const { textStart, textEnd } = lines;
        const rest = host ? lines.sourceStart : lines.hostStart;
        const head = lines.hostStart - textStart;
        at = writeCount(head + hostLength + (textEnd - rest) + 1, out, at);
        out.set(new Uint8Array(buffer, byteOffset + textStart, head), at);
        at += head;
        if (host) {
          out.set(host, at);
          at += hostLength;
        }
        out.set(new Uint8Array(buffer, byteOffset + rest, textEnd - rest), at);
        at += textEnd - rest;
        out[at++] = NEWLINE;
      }
      return at;
    },
  };
}

/** Writes `count` in decimal digits and a space; returns the new end. RFC 6587 section 3.4.1. */
function writeCount(count: number, out: Uint8Array, at: number): number {
  const digits =
    count < 100
      ? count < 10
        ? 1
        : 2
      : count < 1_000
        ? 3
        : count < 10_000
          ? 4
          : count < 100_000
            ? 5
            : count < 1_000_000
              ? 6
              : 7;
  let i = at + digits;
  out[i] = SPACE;
  const end = i + 1;
  let rest = count;
  do {
    const tenth = (rest / 10) | 0;
    out[--i] = 0x30 + rest - tenth * 10;
    rest = tenth;
  } while (i > at);
  return end;
}
