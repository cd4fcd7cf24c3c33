/**
 * The WebAssembly fast path: reads common lines, and writes them (`wasm-frames.as.ts`). Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-codec-binary.ts`; what it does is defined by `framing.ts`, `header.ts`, `rfc3164.ts`, `batch-builder.ts`, `encode.ts`, and for
 * lines that don't have their token as APP-NAME by `sources/rewrite-header.ts`. All lines that it doesn't support are left to them.
 *
 * `take` goes through a line in these steps, each of which is in a file of its own and leaves what it found in variables that the next ones
 * import: the frame (`wasm-framing`), the time and the fields (`wasm-line-fields`, `wasm-rfc3164`), the owner (`wasm-line-owner`), and the
 * record (`wasm-record-text`). What is called once for each line is inlined
 * ([0135](../../../../docs/decisions/0135-the-codecs-steps-share-variables.md)).
 *
 * Memory is laid out by the caller (`wasm-codec.ts`); there is no allocator. Reads and writes may run over the end of a
 * region by up to 15 bytes, so regions have slack between them.
 */
import { NEWLINE, RETURN } from '../../../common/wasm/wasm-ascii.as';
import { write } from './wasm-frames.as';
import {
  FULL,
  findFrame,
  frameEnd,
  frameStart,
  frameStop,
  HEADER_BYTES_MAX,
  PARTIAL,
  READ,
  UNKNOWN_TIME,
  UNSUPPORTED,
} from './wasm-framing.as';
import { setDateMax, skipPriority, skipTime } from './wasm-header.as';
import {
  elementBytes,
  forgetFields,
  hostBytes,
  message as messageAt,
  NEW,
  REPEATED,
  readFields,
  readOldFields,
  recallFields,
} from './wasm-line-fields.as';
import {
  AS_SENT,
  beginOwners,
  findLineOwner,
  form,
  owner,
  slot,
  unknownHost,
  unknownHostLength,
  unknownKey,
  unknownTag,
  unknownTagLength,
  unknownToken,
  unknownTokenLength,
} from './wasm-line-owner.as';
import { forgetOwners, nameSource, numberOf, remember, setUpOwners } from './wasm-owners.as';
import { MESSAGE_BYTES_MAX, RECORD_HEADER, TIME_BYTES } from './wasm-record.as';
import { lineBytes, setStampedHost, writeAsSent, writeDataless, writeFields } from './wasm-record-text.as';
import {
  forgetMinutes,
  OLD_FOUND,
  OLD_UNKNOWN_TIME,
  oldFields,
  oldLimit,
  oldTime,
  oldTimeLength,
  rememberMinute,
  scanOldTime,
  setUpTimes,
} from './wasm-rfc3164.as';
import {
  NO_SLOT,
  RUN_BYTES,
  scatter,
  scatteredBytes,
  scatteredEnd,
  scatteredLines,
  setUpScatter,
} from './wasm-scatter.as';

export {
  forgetMinutes,
  forgetOwners,
  nameSource,
  remember,
  rememberMinute,
  scatter,
  scatteredBytes,
  scatteredEnd,
  scatteredLines,
  setDateMax,
  setUpScatter,
  unknownHost,
  unknownHostLength,
  unknownKey,
  unknownTag,
  unknownTagLength,
  unknownToken,
  unknownTokenLength,
  write,
};

/** Where `take` stopped in the input, where the records end in the output, how many there are, and how many runs of one owner. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
export let runs: u32 = 0;
/** Where the last frame that `take` decoded begins, its record, and its bytes; and those of the one before it. */
export let lastFrame: u32 = 0;
export let lastRecord: u32 = 0;
export let lastBytes: u32 = 0;
export let frameBefore: u32 = 0;
export let recordBefore: u32 = 0;
export let bytesBefore: u32 = 0;
/** Whether their host was stamped. */
export let lastStamped: u32 = 0;
export let stampedBefore: u32 = 0;
/** Whose the last lines are: slots' numbers of the last one, the one before, and the one before that. */
export let lastOwner: u32 = 0;
export let ownerBefore: u32 = 0;
export let ownerTwoBefore: u32 = 0;
/** The minute that isn't known, `Oct 11 22:14`, when `take` stopped at such a line. */
export let unknownMinute: u32 = 0;

/** By more a record isn't longer than its line: a stamped host, a source's name, a time in its long form, what separates them. */
const GROWTH_BYTES_MAX: u32 = 512;

let fixedSource: u32 = 0;
let stampedHost: u32 = 0;
let stampedTime: u32 = 0;
let runsAt: u32 = 0;
let runsMax: u32 = 0;

/** Where everything is: regions of the caller. */
export function setUp(
  source: u32,
  host: u32,
  time: u32,
  sets: u32,
  slots: u32,
  sources: u32,
  key: u32,
  times: u32,
  runsRegion: u32,
  runsCount: u32,
): void {
  fixedSource = source;
  stampedHost = host;
  stampedTime = time;
  setUpOwners(sets, slots, sources, key);
  setUpTimes(times);
  runsAt = runsRegion;
  runsMax = runsCount;
}

/**
 * Decodes frames `[from, end)` into records from `out` on, with the source's name in place of the token.
 *
 * @param framing counted, lines that end with newlines, or with NULs
 * @param sourceLength all lines are of one source, whose name has so many bytes, whatever their APP-NAME; or 0
 * @param hostLength bytes of the host that is stamped
 * @param tokens,names,rules numbers of the scopes in which owners are known: of tokens, of the names that lines of a wildcard token
 *   have, of a sender's rules; 0: there are none of this kind
 * @param perSource a run has lines of one source, rather than of one app
 * @param dataless behind MSGID comes the message, as in Heroku's drains: all lines are of one source then
 */
export function take(
  from: u32,
  end: u32,
  out: u32,
  outEnd: u32,
  framing: u32,
  sourceLength: u32,
  hostLength: u32,
  tokens: u32,
  names: u32,
  rules: u32,
  perSource: bool,
  dataless: bool,
): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why: u32 = PARTIAL;
  let last = from;
  let lastOut = out;
  let lastLength: u32 = 0;
  let before = from;
  let beforeOut = out;
  let beforeLength: u32 = 0;
  let isLastStamped: u32 = 0;
  let isBeforeStamped: u32 = 0;
  let lastSlot = NO_SLOT;
  let slotBefore = NO_SLOT;
  let slotTwoBefore = NO_SLOT;
  let run = runsAt - RUN_BYTES;
  const runsEnd = runsAt + runsMax * RUN_BYTES;
  let runOwner: u32 = 0;
  let runLines: u32 = 0;
  let runBytes: u32 = 0;
  const isFixed = sourceLength != 0;
  const tokensInHeader: u32 = isFixed || names != 0 ? 0 : tokens;
  forgetFields();
  beginOwners(fixedSource, sourceLength);
  setStampedHost(stampedHost, hostLength);
  while (i < end) {
    why = findFrame(i, end, framing);
    if (why != READ) break;
    const start = frameStart;
    const stop = frameStop;
    if (at + RECORD_HEADER + (stop - start) + GROWTH_BYTES_MAX > outEnd || run + RUN_BYTES >= runsEnd) {
      why = FULL;
      break;
    }
    why = UNSUPPORTED;
    const priorityEnd = skipPriority(start, stop);
    if (priorityEnd == 0) break;

    // The time that is written in the place of the one that was sent, and where the fields behind it begin.
    let time: u32 = 0;
    let timeLength: u32 = 0;
    let fields: u32;
    let limit = stop - start > HEADER_BYTES_MAX ? start + HEADER_BYTES_MAX : stop;
    const isOld = load<u16>(priorityEnd) != 0x2031;
    if (isOld) {
      // What is read as RFC 3164 isn't in Heroku's form.
      if (dataless) break;
      const found = scanOldTime(start, priorityEnd, stop);
      if (found != OLD_FOUND) {
        if (found == OLD_UNKNOWN_TIME) {
          unknownMinute = oldTime;
          why = UNKNOWN_TIME;
        }
        break;
      }
      time = oldTime;
      timeLength = oldTimeLength;
      fields = oldFields;
      limit = oldLimit;
    } else if (load<u16>(priorityEnd, 2) == 0x202d) {
      time = stampedTime;
      timeLength = TIME_BYTES;
      fields = priorityEnd + 4;
      if (fields >= limit) break;
    } else {
      fields = skipTime(priorityEnd + 2, limit);
      if (fields == 0) break;
    }

    const recalled = recallFields(fields, limit, isOld);
    if (recalled == NEW) {
      if (isOld ? !readOldFields(fields, limit) : !readFields(fields, stop, limit, tokensInHeader, dataless)) break;
    }
    const message = fields + messageAt;
    // A byte order mark (RFC 5424 section 6.4) is removed by the JavaScript path; an element of its own for the token in front of the
    // message, "[tailrac", is read by it.
    if (load<u8>(message) == 0xef && load<u16>(message, 1) == 0xbfbb && message + 3 <= stop) break;
    if (load<u64>(message) == 0x6361726c6961745b) break;
    let tail: u32 = 0;
    if (stop > message && load<u8>(stop - 1) == NEWLINE) {
      tail = stop > message + 1 && load<u8>(stop - 2) == RETURN ? 2 : 1;
    }
    if (stop - tail - message > MESSAGE_BYTES_MAX) break;
    if (!isFixed && recalled != REPEATED) {
      why = findLineOwner(fields, isOld, tokens, names, rules, perSource);
      if (why != READ) break;
    }
    const isAsSent = !isOld && form == AS_SENT && hostBytes != 0 && elementBytes == 0 && timeLength == 0;
    const recordEnd = isAsSent
      ? dataless
        ? writeDataless(at, start, fields, stop, tail)
        : writeAsSent(at, start, fields, stop, tail)
      : writeFields(at, start, priorityEnd, time, timeLength, fields, stop, tail, isOld);
    if (recordEnd == 0) {
      why = UNSUPPORTED;
      break;
    }

    if (count == 0 || owner != runOwner) {
      if (count > 0) endRun(run, lastSlot, runLines, at, runBytes);
      run += RUN_BYTES;
      runOwner = owner;
      runLines = 0;
      runBytes = 0;
    }
    runLines++;
    runBytes += lineBytes;
    slotTwoBefore = slotBefore;
    slotBefore = lastSlot;
    lastSlot = slot == 0 ? NO_SLOT : numberOf(slot);
    before = last;
    beforeOut = lastOut;
    beforeLength = lastLength;
    isBeforeStamped = isLastStamped;
    isLastStamped = hostBytes == 0 ? 1 : 0;
    last = i;
    lastOut = at;
    lastLength = lineBytes;
    at = recordEnd;
    count++;
    i = frameEnd;
    why = PARTIAL;
  }
  if (count > 0) endRun(run, lastSlot, runLines, at, runBytes);
  position = i;
  produced = at;
  lines = count;
  runs = (run + RUN_BYTES - runsAt) / RUN_BYTES;
  lastFrame = last;
  lastRecord = lastOut;
  lastBytes = lastLength;
  frameBefore = before;
  recordBefore = beforeOut;
  bytesBefore = beforeLength;
  lastStamped = isLastStamped;
  stampedBefore = isBeforeStamped;
  lastOwner = lastSlot;
  ownerBefore = slotBefore;
  ownerTwoBefore = slotTwoBefore;
  return why;
}

/** @param slot number of its last line's: what follows that line is of the same source */
function endRun(run: u32, slot: u32, runLines: u32, end: u32, bytes: u32): void {
  store<u32>(run, slot);
  store<u32>(run, runLines, 4);
  store<u32>(run, end, 8);
  store<u32>(run, bytes, 12);
}
