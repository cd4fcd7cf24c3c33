/**
 * Ids in messages as bytes: UUIDs and long runs of hexadecimal digits are most of what is left of lines when they are compressed, and each of their
 * digits takes more than its four bits there. In their place is a *mark*, a byte that no message of the block has.
 */

/** Digits of a run that isn't a UUID. */
const RUN_MIN = 16;
const RUN_MAX = 254;
const UUID_LENGTH = 36;
const UUID_BYTES = 16;
const DASH = 0x2d;

/** Of each byte: the digit that it stands for, 255 for none. */
const DIGITS = new Uint8Array(256).fill(255);
/** Of each value of a byte: its two digits. */
const PAIRS = new Uint16Array(256);
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value;
for (let value = 0; value < 256; value++) {
  const text = value.toString(16).padStart(2, '0');
  PAIRS[value] = text.charCodeAt(0) | (text.charCodeAt(1) << 8);
}

/** Messages with marks in them, and the ids that these stand for: each has memory of its own, or that of the messages as they were. */
export interface MarkedMessages {
  /** In the place of a UUID; 0 together with the other when nothing is marked. */
  readonly uuidMark: number;
  /** In the place of a run, followed by how many bytes it is. */
  readonly runMark: number;
  readonly messages: Buffer;
  readonly ids: Buffer;
}

/** Takes ids out of the messages of a block. */
export function takeIds(messages: Buffer): MarkedMessages {
  const [uuidMark, runMark] = unusedBytes(messages);
  if (runMark === undefined) return { uuidMark: 0, runMark: 0, messages, ids: Buffer.allocUnsafeSlow(0) };
  const { length } = messages;
  const marked = Buffer.allocUnsafeSlow(length);
  const ids = Buffer.allocUnsafeSlow((length >> 1) + 1);
  let markedEnd = 0;
  let idsEnd = 0;
  let copied = 0;
  for (let i = 0; i < length; i++) {
    if (DIGITS[messages[i]] === 255) continue;
    const start = i;
    while (++i < length && DIGITS[messages[i]] !== 255);
    const run = i - start;
    const isUuid = run === 8 && messages[i] === DASH && isUuidAt(messages, start);
    if (!isUuid && (run < RUN_MIN || run > RUN_MAX || run % 2 === 1)) continue;
    markedEnd += messages.copy(marked, markedEnd, copied, start);
    if (isUuid) {
      i = start + UUID_LENGTH;
      marked[markedEnd++] = uuidMark;
    } else {
      marked[markedEnd++] = runMark;
      marked[markedEnd++] = run / 2;
    }
    for (let k = start; k < i; k += 2) {
      if (messages[k] === DASH) k++;
      ids[idsEnd++] = (DIGITS[messages[k]] << 4) | DIGITS[messages[k + 1]];
    }
    copied = i;
    // What is behind a UUID is looked at, too.
    i--;
  }
  markedEnd += messages.copy(marked, markedEnd, copied, length);
  return { uuidMark, runMark, messages: marked.subarray(0, markedEnd), ids: ids.subarray(0, idsEnd) };
}

/**
 * Puts ids back; the messages have so many bytes then.
 * @throws RangeError when what is there can't have been made by {@link takeIds}
 */
export function putIds({ uuidMark, runMark, messages, ids }: MarkedMessages, length: number): Buffer {
  if (uuidMark === runMark) return messages;
  const whole = Buffer.allocUnsafeSlow(length);
  let end = 0;
  let idsEnd = 0;
  let copied = 0;
  let nextUuid = messages.indexOf(uuidMark);
  let nextRun = messages.indexOf(runMark);
  while (nextUuid !== -1 || nextRun !== -1) {
    const isUuid = nextRun === -1 || (nextUuid !== -1 && nextUuid < nextRun);
    const at = isUuid ? nextUuid : nextRun;
    end += messages.copy(whole, end, copied, at);
    const bytes = isUuid ? UUID_BYTES : messages[at + 1];
    copied = at + (isUuid ? 1 : 2);
    if (idsEnd + bytes > ids.length || end + bytes * 2 > length) throw new RangeError('An id is missing.');
    for (let i = 0; i < bytes; i++) {
      if (isUuid && (i === 4 || i === 6 || i === 8 || i === 10)) whole[end++] = DASH;
      const pair = PAIRS[ids[idsEnd++]];
      whole[end++] = pair & 0xff;
      whole[end++] = pair >> 8;
    }
    if (isUuid) nextUuid = messages.indexOf(uuidMark, copied);
    // How long a run is may look like a mark.
    else nextRun = messages.indexOf(runMark, copied);
    if (nextUuid !== -1 && nextUuid < copied) nextUuid = messages.indexOf(uuidMark, copied);
  }
  end += messages.copy(whole, end, copied);
  if (end !== length) throw new RangeError('Messages are cut off.');
  return whole;
}

function isUuidAt(bytes: Buffer, start: number): boolean {
  const end = start + UUID_LENGTH;
  if (end > bytes.length || (end < bytes.length && DIGITS[bytes[end]] !== 255)) return false;
  for (let i = 8; i < UUID_LENGTH; i++) {
    const isDash = i === 8 || i === 13 || i === 18 || i === 23;
    if (isDash ? bytes[start + i] !== DASH : DIGITS[bytes[start + i]] === 255) return false;
  }
  return true;
}

/** Two bytes that aren't in a text, from those that texts have least. */
function unusedBytes(text: Buffer): number[] {
  const unused: number[] = [];
  for (let byte = 1; byte < 0x20 && unused.length < 2; byte++) if (!text.includes(byte)) unused.push(byte);
  return unused;
}
