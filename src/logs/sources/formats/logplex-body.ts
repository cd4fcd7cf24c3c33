/** Bodies of `application/logplex-1`: octet-counted lines, as log-shuttle and Heroku's HTTPS drains send them. */
import { TailraceError } from '../../../common/errors.ts';
import { parseCount } from '../../../common/http/fields.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
import { countFrames } from '../../syslog/framing.ts';
import { SyslogHeader, scanHeader } from '../../syslog/header.ts';
import { FrameOutcome, type LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';

const SPACE = 0x20;
/** Few of log-shuttle's lines are shorter. */
const LINE_BYTES = 64;

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

/**
 * Takes a body's lines, all or none. Returns a promise only when a token has to be looked up.
 * @throws TailraceError `malformed_lines` when it isn't well formed, `count_mismatch` when its number of lines isn't `msgCount`.
 */
export function takeLogplexBody(
  body: Buffer,
  receiver: LineReceiver,
  { msgCount, tokenPerLine, counters }: LogplexBodyOptions,
): Promise<void> | undefined {
  const frames = countFrames(body);
  if (frames === -1) {
    counters.malformed++;
    throw new TailraceError('malformed_lines', 'Malformed log messages');
  }
  if (msgCount !== undefined && parseCount(msgCount) !== frames)
    throw new TailraceError('count_mismatch', 'Message count mismatch');
  // A request is taken whole or not at all: lines without a token must be found before the first is taken.
  if (tokenPerLine && !allHaveHeaders(body)) {
    counters.malformed++;
    throw new TailraceError('malformed_lines', 'Malformed log messages');
  }
  return takeFramesFrom(0, body, receiver);
}

/** Takes the frames of a body that {@link countFrames} found to be well formed; looks up tokens in between. */
function takeFramesFrom(frame: number, body: Buffer, receiver: LineReceiver): Promise<void> | undefined {
  for (let i = receiver.takeFastPath(body, frame); i < body.length; ) {
    const start = body.indexOf(SPACE, i) + 1;
    const end = start + frameLength(body, i);
    const outcome = receiver.take(body, start, end);
    if (outcome === FrameOutcome.needsTokenLookup)
      return receiver.loadToken().then(() => takeFramesFrom(i, body, receiver));
    if (outcome === FrameOutcome.malformed)
      throw new TailraceError('malformed_lines', 'Malformed log messages');
    i = receiver.takeFastPath(body, end);
  }
  return undefined;
}

function allHaveHeaders(body: Buffer): boolean {
  const header = new SyslogHeader();
  for (let i = 0; i < body.length; ) {
    const start = body.indexOf(SPACE, i) + 1;
    i = start + frameLength(body, i);
    if (!scanHeader(body, start, i, header)) return false;
  }
  return true;
}

/** The number at `i`, up to a space. */
function frameLength(body: Buffer, i: number): number {
  let length = 0;
  for (let byte = body[i]; byte !== SPACE; byte = body[++i]) length = length * 10 + (byte - 0x30);
  return length;
}
