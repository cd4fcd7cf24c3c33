/**
 * Lines taken apart, so that they take less room: what lines have alike before their messages (*heads*) once, then the numbers of each line, then
 * the messages. What is put together again is byte for byte what was taken apart.
 *
 *     u32 heads | u32 bytes of heads, of the lines' numbers | u32 bytes of ids | u32 bytes of messages as they were | u8 mark of a UUID, of a run | u16 0
 *     | heads | numbers | ids | messages (message-ids.ts)
 *     of the first version: u32 heads | u32 bytes of heads, of the lines' numbers | heads | numbers | messages as they were
 *     head:    u8 digits of a second's fraction, or NO_TIME | 8 bytes of the record's header (its offsets) | u16 before the time | u16 behind it | both
 *     numbers: of each line the head's, the message's length, and the time's difference from that of the line before, as varints
 */
import { detachBuffer } from '../../../../src/common/buffers/detach-buffer.ts';
import { RECORD_HEADER, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineTimeStart } from '../../../../src/logs/syslog/record.ts';
import { putIds, takeIds } from './message-ids.ts';
import { TimeText } from './time-text.ts';
import { VarintReader, VarintWriter } from './varint.ts';

const FRONT_BYTES = 24;
const FIRST_FRONT_BYTES = 12;
/** Without ids that are taken out; what is written now. */
const FIRST_VERSION = 0;
export const RECORDS_VERSION = 1;
const HEAD_FRONT_BYTES = 13;
const NO_TIME = 0xff;
/** Of a record's header: where its offsets are. */
const OFFSETS_AT = 4;
/** Heads that are looked up; lines whose heads are all different get one each. */
const HEAD_BYTES_MAX = 0xffff;

/** Takes records apart. */
export function splitRecords(records: Buffer): Buffer {
  const heads = new Map<string, number>();
  const headBytes: Buffer[] = [];
  const numbers = new VarintWriter();
  const time = new TimeText();
  const messages = Buffer.allocUnsafeSlow(records.length);
  let messagesEnd = 0;
  let lastTime = 0;
  const line = new RecordCursor(records, 0);
  while (line.advance()) {
    const { textStart, textEnd } = line;
    const messageStart = Math.min(line.messageStart, textEnd);
    const timeStart = lineTimeStart(line, records);
    let digits = NO_TIME;
    let behind = textStart;
    if (timeStart < messageStart && time.read(records, timeStart, messageStart)) {
      digits = time.digits;
      behind = timeStart + time.length;
    }
    const before = digits === NO_TIME ? textStart : timeStart;
    const offsets = textStart - RECORD_HEADER + OFFSETS_AT;
    const key =
      String.fromCharCode(digits) +
      records.toString('latin1', offsets, before) +
      records.toString('latin1', behind, messageStart);
    let head = heads.get(key);
    if (head === undefined) {
      head = heads.size;
      heads.set(key, head);
      headBytes.push(encodeHead(records, digits, offsets, before, behind, messageStart));
    }
    numbers.write(head);
    numbers.write(textEnd - messageStart);
    if (digits !== NO_TIME) {
      numbers.writeSigned(time.value - lastTime);
      lastTime = time.value;
    }
    messagesEnd += records.copy(messages, messagesEnd, messageStart, textEnd);
  }
  const marked = takeIds(messages.subarray(0, messagesEnd));
  const front = Buffer.alloc(FRONT_BYTES);
  front.writeUInt32LE(heads.size, 0);
  front.writeUInt32LE(
    headBytes.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  front.writeUInt32LE(numbers.length, 8);
  front.writeUInt32LE(marked.ids.length, 12);
  front.writeUInt32LE(messagesEnd, 16);
  front[20] = marked.uuidMark;
  front[21] = marked.runMark;
  const apart = Buffer.concat([front, ...headBytes, numbers.bytes, marked.ids, marked.messages]);
  for (const buffer of new Set([messages, marked.ids, marked.messages].map((one) => one.buffer)))
    detachBuffer(new Uint8Array(buffer));
  return apart;
}

function encodeHead(
  records: Buffer,
  digits: number,
  offsets: number,
  before: number,
  behind: number,
  end: number,
): Buffer {
  const textStart = offsets - OFFSETS_AT + RECORD_HEADER;
  const [first, second] = [before - textStart, end - behind];
  if (first > HEAD_BYTES_MAX || second > HEAD_BYTES_MAX)
    throw new RangeError('A line has too long a header.');
  const head = Buffer.allocUnsafe(HEAD_FRONT_BYTES + first + second);
  head[0] = digits;
  records.copy(head, 1, offsets, textStart);
  head.writeUInt16LE(first, 9);
  head.writeUInt16LE(second, 11);
  records.copy(head, HEAD_FRONT_BYTES, textStart, before);
  records.copy(head, HEAD_FRONT_BYTES + first, behind, end);
  return head;
}

/** A head as it is put in front of messages, with room for the record's length and the time. */
interface Head {
  readonly bytes: Buffer;
  readonly digits: number;
  readonly timeAt: number;
  readonly time: TimeText;
}

/**
 * Puts `count` records together, which take so many bytes.
 * @param version of what was taken apart
 * @throws RangeError when what is there can't have been made by {@link splitRecords}
 */
export function joinRecords(
  apart: Buffer,
  count: number,
  recordBytes: number,
  version = RECORDS_VERSION,
): Buffer {
  const headCount = apart.readUInt32LE(0);
  const headsAt = version === FIRST_VERSION ? FIRST_FRONT_BYTES : FRONT_BYTES;
  const numbersAt = headsAt + apart.readUInt32LE(4);
  const idsAt = numbersAt + apart.readUInt32LE(8);
  const messages =
    version === FIRST_VERSION ? apart.subarray(idsAt) : wholeMessages(apart, idsAt, recordBytes);
  const heads = decodeHeads(apart.subarray(0, numbersAt), headsAt, headCount);
  const numbers = new VarintReader(apart, numbersAt);
  const records = Buffer.allocUnsafe(recordBytes);
  let at = 0;
  let from = 0;
  let time = 0;
  for (let i = 0; i < count; i++) {
    const head = heads[numbers.read()];
    const length = numbers.read();
    const { bytes } = head;
    const textLength = bytes.length - RECORD_HEADER + length;
    bytes[0] = textLength & 0xff;
    bytes[1] = (textLength >> 8) & 0xff;
    bytes[2] = (textLength >> 16) & 0xff;
    if (head.digits !== NO_TIME) {
      time += numbers.readSigned();
      head.time.write(time, bytes, head.timeAt);
    }
    records.set(bytes, at);
    at += bytes.length;
    if (messages.copy(records, at, from, from + length) !== length)
      throw new RangeError('A message is cut off.');
    at += length;
    from += length;
  }
  if (at !== recordBytes) throw new RangeError('There are fewer lines than there were.');
  if (messages.buffer !== apart.buffer) detachBuffer(messages);
  return records;
}

function wholeMessages(apart: Buffer, idsAt: number, lengthMax: number): Buffer {
  const messagesAt = idsAt + apart.readUInt32LE(12);
  const length = apart.readUInt32LE(16);
  if (length > lengthMax) throw new RangeError('Messages are longer than their lines.');
  const ids = apart.subarray(idsAt, messagesAt);
  return putIds(
    { uuidMark: apart[20], runMark: apart[21], messages: apart.subarray(messagesAt), ids },
    length,
  );
}

function decodeHeads(bytes: Buffer, from: number, count: number): Head[] {
  const heads: Head[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const digits = bytes[at];
    const first = bytes.readUInt16LE(at + 9);
    const second = bytes.readUInt16LE(at + 11);
    const time = new TimeText(digits === NO_TIME ? 0 : digits);
    const timeAt = RECORD_HEADER + first;
    const timeLength = digits === NO_TIME ? 0 : time.length;
    const head = Buffer.alloc(timeAt + timeLength + second);
    bytes.copy(head, OFFSETS_AT, at + 1, at + 9);
    const text = at + HEAD_FRONT_BYTES;
    bytes.copy(head, RECORD_HEADER, text, text + first);
    bytes.copy(head, timeAt + timeLength, text + first, text + first + second);
    heads.push({ bytes: head, digits, timeAt, time });
    at = text + first + second;
  }
  return heads;
}
