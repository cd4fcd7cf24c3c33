/**
 * Lines in the form of Heroku's HTTPS drains, `83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed…`: HOSTNAME is the
 * literal `host`, MSGID is `-`, and there is no structured data. Receivers are built for what Heroku sends: a message is one line of
 * UTF-8, ends with exactly one newline, and no frame is longer than {@link FRAME_BYTES_MAX}. What isn't so is split or replaced here.
 */
import { isUtf8 } from 'node:buffer';
import { utf8CharacterStart } from '../../common/text/utf8.ts';
import type { RecordCursor } from './batch.ts';
import { encodeFrames, type FrameForm } from './wasm/wasm-codec.ts';

/** Longest frame, in bytes, without its count: readers of Heroku's drains stop at longer ones. */
const FRAME_BYTES_MAX = 10_240;

const NEWLINE = 0x0a;
const HOST = Buffer.from('host ');
const END_OF_HEADER = Buffer.from('- ');
const END_OF_FRAME = Buffer.from('\n');

/** Newlines within a message: each line becomes a frame of its own, as Heroku has it, or they are sent as they are. */
export type MultilineMode = 'split' | 'keep';

/** Bytes that {@link encodeCommonHerokuFrames} may write for a line beyond its record. */
export const HEROKU_OVERHEAD_BYTES = HOST.length + 6;

const FORMS: Record<MultilineMode, FrameForm> = {
  split: { head: HOST, heroku: true, keepHost: false, singleLine: true },
  keep: { head: HOST, heroku: true, keepHost: false, singleLine: false },
};

/**
 * Writes `count` records of `bytes[start, end)` to `out` from `at` on, one frame each; returns the new end, or -1 when one of them
 * has to be split or isn't UTF-8: then {@link herokuFrames} writes them.
 */
export function encodeCommonHerokuFrames(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  mode: MultilineMode,
  out: Buffer,
  at: number,
): number {
  const written = encodeFrames(bytes, start, end, count, FORMS[mode], out, at);
  return written >= 0 && isUtf8(out.subarray(at, written)) ? written : -1;
}

/** The frames of the lines under the cursor: of every line at least one. */
export function herokuFrames(lines: RecordCursor, bytes: Buffer, mode: MultilineMode): Buffer[] {
  const frames: Buffer[] = [];
  while (lines.advance()) {
    const { textStart, textEnd, hostStart, sourceStart, msgidStart, messageStart } = lines;
    const head = toUtf8(
      Buffer.concat([
        bytes.subarray(textStart, hostStart),
        HOST,
        bytes.subarray(sourceStart, msgidStart),
        END_OF_HEADER,
      ]),
    );
    const message = toUtf8(bytes.subarray(messageStart, textEnd));
    const lengthMax = Math.max(4, FRAME_BYTES_MAX - head.length - END_OF_FRAME.length);
    for (const part of mode === 'split' ? splitLines(message) : [message])
      for (const piece of splitLong(part, lengthMax)) {
        const length = head.length + piece.length + END_OF_FRAME.length;
        frames.push(Buffer.concat([Buffer.from(`${length} `), head, piece, END_OF_FRAME]));
      }
  }
  return frames;
}

/** The same memory when it is UTF-8, else with U+FFFD for what isn't. */
function toUtf8(bytes: Buffer): Buffer {
  return isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'));
}

function splitLines(message: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = message.indexOf(NEWLINE); end >= 0; end = message.indexOf(NEWLINE, start)) {
    lines.push(message.subarray(start, end));
    start = end + 1;
  }
  lines.push(message.subarray(start));
  return lines;
}

/** Pieces of at most `lengthMax` bytes, not cut within a character. */
function splitLong(message: Buffer, lengthMax: number): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  while (message.length - start > lengthMax) {
    const end = utf8CharacterStart(message, start + lengthMax);
    pieces.push(message.subarray(start, end));
    start = end;
  }
  pieces.push(message.subarray(start));
  return pieces;
}
