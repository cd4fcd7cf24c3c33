/** Bodies of `application/logplex-1`: octet-counted lines, as log-shuttle and Heroku's HTTPS drains send them. */
import { TailraceError } from '../../../common/errors.ts';
import { parseCount } from '../../../common/http/fields.ts';
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
import { SyslogHeader, scanHeader } from '../../syslog/header.ts';
import { FrameOutcome, type LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';

const SPACE = 0x20;
/** Few of log-shuttle's lines are shorter. */
const LINE_BYTES = 64;
/** A line with all header fields is about as long: a shorter one grows to it. */
const STAMPED_BYTES = 96;
const COUNT_DIGITS_MAX = 10;
/** The WebAssembly fast path gets so much at once, in slices. */
const WINDOW_BYTES = 65_536;
/** Frames between two looks at the clock. */
const FRAMES = 16;

export interface LogplexBodyOptions {
  /** `Logplex-Msg-Count`. */
  readonly msgCount: string | string[] | undefined;
  /** Every line has its own token as APP-NAME. */
  readonly tokenPerLine: boolean;
  readonly counters: ListenerCounters;
}

/** About what a body's lines take in a batch, by its length and `Logplex-Msg-Count` (what isn't a count doesn't count). */
export function estimateLogplexBatchBytes(length: number, msgCount: string | string[] | undefined): number {
  return length + (parseCount(msgCount) ?? length / LINE_BYTES) * RECORD_HEADER;
}

/** What {@link measureFrames} found. */
export const measured = {
  frames: 0,
  /** About what they take in a batch, once their headers are filled in. */
  batchBytes: 0,
};

/**
 * Counts the frames of a body that is octet counted from end to end, into {@link measured}; at the most one more than may be sent.
 * False when it isn't: a length that is missing, not a number, zero-led, or reaches over the body's end.
 */
export function measureFrames(body: Uint8Array): boolean {
  const { length } = body;
  let i = 0;
  let frames = 0;
  let batchBytes = 0;
  while (i < length && frames <= LINES_MAX) {
    let byte = body[i];
    if (byte < 0x31 || byte > 0x39) return false;
    let count = 0;
    const digitsEnd = i + COUNT_DIGITS_MAX;
    while (i < length && byte >= 0x30 && byte <= 0x39) {
      if (i === digitsEnd) return false;
      count = count * 10 + (byte - 0x30);
      byte = body[++i];
    }
    if (byte !== SPACE) return false;
    i += 1 + count;
    if (i > length) return false;
    frames++;
    batchBytes += RECORD_HEADER + Math.max(count, STAMPED_BYTES);
  }
  measured.frames = frames;
  measured.batchBytes = batchBytes;
  return true;
}

/**
 * Checks a body before a line of it is taken; returns about what its lines take in a batch.
 * @throws TailraceError `malformed_lines` when it isn't well formed, `count_mismatch` when its number of lines isn't `msgCount`,
 * `too_large` for too many.
 */
export function checkLogplexBody(body: Buffer, { msgCount, counters }: LogplexBodyOptions): number {
  if (!measureFrames(body)) {
    counters.malformed++;
    throw new TailraceError('malformed_lines', 'Malformed log messages');
  }
  const { frames, batchBytes } = measured;
  if (frames > LINES_MAX) throw tooManyLines();
  requireCount(frames, msgCount);
  return batchBytes;
}

/** @throws TailraceError `count_mismatch` when a body's number of frames isn't `msgCount` */
export function requireCount(frames: number, msgCount: LogplexBodyOptions['msgCount']): void {
  if (msgCount !== undefined && parseCount(msgCount) !== frames)
    throw new TailraceError('count_mismatch', 'Message count mismatch');
}

/** Takes the lines of a body that was checked, all of them, at once. Returns a promise only when a token has to be looked up. */
export function takeLogplexBody(body: Buffer, receiver: LineReceiver): Promise<void> | undefined {
  return takeFramesFrom(0, body, receiver);
}

/**
 * The same in slices, for a body that is large, or whose lines have their own tokens: then all must have a header, or none is taken.
 * @throws TailraceError `malformed_lines`; `unauthorized` when no line has a token that is known
 */
export async function takeLogplexBodyInSlices(
  body: Buffer,
  receiver: LineReceiver,
  { tokenPerLine, counters }: LogplexBodyOptions,
): Promise<void> {
  const slices = new TimeSlices();
  if (tokenPerLine && !(await allHaveHeaders(body, slices))) {
    counters.malformed++;
    throw new TailraceError('malformed_lines', 'Malformed log messages');
  }
  let window = body.subarray(0, WINDOW_BYTES);
  let frames = 0;
  for (let at = 0; at < body.length; ) {
    if (at >= window.length) window = body.subarray(0, at + WINDOW_BYTES);
    const reached = receiver.takeFastPath(window, at);
    const isLong = reached - at > FRAMES * LINE_BYTES;
    at = reached;
    if (at < body.length) {
      if (takeFrame(at, body, receiver) === FrameOutcome.needsTokenLookup) await receiver.loadToken();
      else at = frameEnd(body, at);
    }
    if ((isLong || ++frames % FRAMES === 0) && slices.isOver) await slices.next();
  }
  if (tokenPerLine && body.length > 0 && !receiver.hasTaken)
    throw new TailraceError(
      'unauthorized',
      'Unauthorized: none of the lines has a source token that is known as its APP-NAME; show one in ?token= for all of them.',
    );
}

/** Takes the frames from `frame` on; looks up tokens in between. */
function takeFramesFrom(frame: number, body: Buffer, receiver: LineReceiver): Promise<void> | undefined {
  for (let i = receiver.takeFastPath(body, frame); i < body.length; ) {
    if (takeFrame(i, body, receiver) === FrameOutcome.needsTokenLookup)
      return receiver.loadToken().then(() => takeFramesFrom(i, body, receiver));
    i = receiver.takeFastPath(body, frameEnd(body, i));
  }
  return undefined;
}

function takeFrame(frame: number, body: Buffer, receiver: LineReceiver): FrameOutcome {
  const start = body.indexOf(SPACE, frame) + 1;
  const outcome = receiver.take(body, start, start + frameLength(body, frame));
  if (outcome === FrameOutcome.malformed)
    throw new TailraceError('malformed_lines', 'Malformed log messages');
  return outcome;
}

async function allHaveHeaders(body: Buffer, slices: TimeSlices): Promise<boolean> {
  const header = new SyslogHeader();
  for (let i = 0, scanned = 0; i < body.length; scanned++) {
    const end = frameEnd(body, i);
    if (!scanHeader(body, body.indexOf(SPACE, i) + 1, end, header)) return false;
    i = end;
    if (scanned % FRAMES === 0 && slices.isOver) await slices.next();
  }
  return true;
}

/** Where the frame at `i` ends. */
function frameEnd(body: Buffer, i: number): number {
  return body.indexOf(SPACE, i) + 1 + frameLength(body, i);
}

/** The number at `i`, up to a space. */
function frameLength(body: Buffer, i: number): number {
  let length = 0;
  for (let byte = body[i]; byte !== SPACE; byte = body[++i]) length = length * 10 + (byte - 0x30);
  return length;
}
