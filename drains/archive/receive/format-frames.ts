/**
 * Formats frames as the bytes of a file, one line each, whatever is inside: `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`.
 * A newline at a message's end is the sender's own line ending and dropped; one inside is escaped as `\n`, other
 * control characters as `\x1b`, so that a message can neither forge a line (log injection) nor control a terminal.
 */

import {
  type ByteRange,
  type DrainHeader,
  parseDrainHeader,
} from '../../../src/logs/syslog/drain-frames/drain-header.ts';
import { EscapingWriter } from './escaping-writer.ts';

const DASH = 0x2d;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of all frames, in their order, each with a newline.
 * @param form of the frames: RFC 5424's have structured data, Heroku's leave it out
 * @param receivedMs milliseconds since 1970: the time of lines that have none, or no header that can be read
 */
export function formatFrames(frames: Buffer[], form: 'heroku' | 'rfc5424', receivedMs: number): Buffer {
  const receivedAt = new Date(receivedMs).toISOString().replace('Z', '+00:00');
  const text = new EscapingWriter(byteCountOf(frames) + frames.length);
  for (const frame of frames) {
    const header = parseDrainHeader(frame, form);
    if (header === undefined) formatUnparsed(text, frame, receivedAt);
    else formatLine(text, frame, header, receivedAt);
  }
  return text.bytes;
}

/** The frames as they were received; only newlines are escaped, since each frame takes one line. */
export function formatRawFrames(frames: Buffer[]): Buffer {
  const text = new EscapingWriter(byteCountOf(frames) + frames.length);
  for (const frame of frames) {
    text.copyEscapingNewlines(frame, 0, withoutLineEnding(frame, 0));
    text.writeAscii('\n');
  }
  return text.bytes;
}

function formatLine(text: EscapingWriter, frame: Buffer, header: DrainHeader, receivedAt: string): void {
  // NILVALUE of RFC 5424: the time of arrival instead.
  if (isNil(frame, header.time)) text.writeAscii(receivedAt);
  else text.copyEscapingControls(frame, header.time.from, header.time.to);
  text.writeAscii(' ');
  text.copyEscapingControls(frame, header.source.from, header.source.to);
  text.writeAscii('[');
  text.copyEscapingControls(frame, header.dyno.from, header.dyno.to);
  text.writeAscii(']: ');
  text.copyEscapingControls(frame, header.messageFrom, withoutLineEnding(frame, header.messageFrom));
  text.writeAscii('\n');
}

/** Rejecting it would make the sender drop the whole batch, so a frame without a header is kept as a message. */
function formatUnparsed(text: EscapingWriter, frame: Buffer, receivedAt: string): void {
  text.writeAscii(`${receivedAt} archive[unparsed]: `);
  text.copyEscapingControls(frame, 0, withoutLineEnding(frame, 0));
  text.writeAscii('\n');
}

function isNil(frame: Buffer, span: ByteRange): boolean {
  return span.to - span.from === 1 && frame[span.from] === DASH;
}

function withoutLineEnding(frame: Buffer, from: number): number {
  let to = frame.length;
  if (to > from && frame[to - 1] === NEWLINE) to--;
  if (to < frame.length && to > from && frame[to - 1] === CARRIAGE_RETURN) to--;
  return to;
}

function byteCountOf(frames: Buffer[]): number {
  return frames.reduce((sum, frame) => sum + frame.length, 0);
}
