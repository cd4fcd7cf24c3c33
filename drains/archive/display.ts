/**
 * Frames to the bytes of a file, one line each, whatever is inside: `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`.
 * A newline at a message's end is the sender's own line ending and dropped; one inside is written as `\n`, other
 * control characters as `\x1b`, so that a message can neither fake a line nor drive the terminal of whoever reads it.
 */

import { type Header, parseHeader, type Span } from './header.ts';
import { Text } from './text.ts';

const DASH = 0x2d;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export function displayFrames(frames: Buffer[], form: 'heroku' | 'rfc5424', receivedMs: number): Buffer {
  const received = new Date(receivedMs).toISOString().replace('Z', '+00:00');
  const text = new Text(byteCountOf(frames) + frames.length);
  for (const frame of frames) {
    const header = parseHeader(frame, form);
    if (header === undefined) displayUnparsed(text, frame, received);
    else displayLine(text, frame, header, received);
  }
  return text.bytes;
}

/** The frames as they came; only newlines are treated as above, since each frame takes one line. */
export function rawFrames(frames: Buffer[]): Buffer {
  const text = new Text(byteCountOf(frames) + frames.length);
  for (const frame of frames) {
    text.copyOneLine(frame, 0, withoutLineEnding(frame, 0));
    text.ascii('\n');
  }
  return text.bytes;
}

function displayLine(text: Text, frame: Buffer, header: Header, received: string): void {
  // RFC 5424's "no value": then the time of arrival is the best there is.
  if (isNil(frame, header.time)) text.ascii(received);
  else text.copyHarmless(frame, header.time.from, header.time.to);
  text.ascii(' ');
  text.copyHarmless(frame, header.source.from, header.source.to);
  text.ascii('[');
  text.copyHarmless(frame, header.dyno.from, header.dyno.to);
  text.ascii(']: ');
  text.copyHarmless(frame, header.messageFrom, withoutLineEnding(frame, header.messageFrom));
  text.ascii('\n');
}

/** Refusing it would make the sender drop the whole batch, so a frame without a header is kept as a message. */
function displayUnparsed(text: Text, frame: Buffer, received: string): void {
  text.ascii(`${received} archive[unparsed]: `);
  text.copyHarmless(frame, 0, withoutLineEnding(frame, 0));
  text.ascii('\n');
}

function isNil(frame: Buffer, span: Span): boolean {
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
