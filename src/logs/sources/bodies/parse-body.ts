/** Bodies whose lines have to be made first: JSON and OTLP. The same on the main thread, for small ones, and on that for large ones. */
import { countJsonLines, jsonToSyslogLine, readJson, readNdjson } from '../formats/json-lines.ts';
import { OddRecords, packJsonRecords } from '../formats/json-records.ts';
import { isSmallOtlpRequest, type OtlpSource, packOtlpLines } from '../formats/otlp.ts';
import { packOtlpRecords } from '../formats/otlp-records.ts';
import { LinePacker, type PackedLines } from '../formats/packed-lines.ts';
import type { RecordForm } from '../formats/wasm/wasm-records.ts';

/** A body, and how it is read. */
export interface ParseJob {
  readonly format: 'json' | 'ndjson' | 'otlp-json' | 'otlp-protobuf';
  readonly body: Buffer;
  /** The dyno of lines that name none. */
  readonly dyno?: string;
  /** For OTLP. */
  readonly source?: OtlpSource;
  /** Who gets the lines takes records of this form. */
  readonly form?: RecordForm;
}

/** A larger body is parsed on another thread; so is one with more lines, since a line can be two bytes. */
const QUICK_BYTES = 65_536;
const QUICK_LINES = 1_000;
/** Records, attributes and values of OTLP. */
const QUICK_MESSAGES = 2_000;
/** A body of records that need no parser is read at once when it isn't larger. */
const FAST_BYTES = 262_144;

const NO_SOURCE: OtlpSource = { source: undefined, keepService: false };

/**
 * The lines of a body that is parsed in a millisecond or two; undefined when it takes longer.
 * @throws TailraceError as {@link parseBody}
 */
export function parseQuickly(job: ParseJob): PackedLines | undefined {
  const isFast = job.body.length <= FAST_BYTES;
  const lines = isFast ? packRecords(job, new OddRecords(QUICK_BYTES, QUICK_LINES), true) : undefined;
  return lines ?? (isQuicklyParsed(job) ? parseValues(job) : undefined);
}

/**
 * Is it parsed in a millisecond or two, whatever is in it?
 * @throws TailraceError as {@link parseBody}
 */
export function isQuicklyParsed({ format, body }: ParseJob): boolean {
  if (body.length > QUICK_BYTES) return false;
  if (format === 'json' || format === 'ndjson')
    return countJsonLines(body, format === 'ndjson', QUICK_LINES) <= QUICK_LINES;
  return isSmallOtlpRequest(body, format === 'otlp-json', QUICK_MESSAGES);
}

/**
 * The lines of a body, without a token.
 * @throws TailraceError `bad_request` when it can't be read, `too_large` when it has too much of something.
 */
export function parseBody(job: ParseJob): PackedLines {
  return packRecords(job, new OddRecords()) ?? parseValues(job);
}

/**
 * The lines of a body that the fast path reads; undefined for others, and whatever is wrong with them.
 * @param mayBorrow see {@link LinePacker}: not for another thread
 */
function packRecords(job: ParseJob, odd: OddRecords, mayBorrow = false): PackedLines | undefined {
  const { format, body, dyno, source = NO_SOURCE, form } = job;
  const packer = new LinePacker(body.length + body.length / 4, mayBorrow);
  try {
    const isPacked =
      format === 'json' || format === 'ndjson'
        ? packJsonRecords(body, format === 'ndjson', dyno, packer, odd, form)
        : packOtlpRecords(body, format === 'otlp-json', source, packer, odd, form);
    return isPacked ? packer.pack() : undefined;
  } catch {
    // What is wrong, `parseValues` says.
    return undefined;
  }
}

/** {@link parseBody} as it is defined: by values. */
export function parseValues({ format, body, dyno, source = NO_SOURCE }: ParseJob): PackedLines {
  const packer = new LinePacker();
  if (format === 'json' || format === 'ndjson')
    for (const value of format === 'json' ? readJson(body) : readNdjson(body))
      packer.add(jsonToSyslogLine(value, dyno));
  else {
    const rejected = packOtlpLines(body, format === 'otlp-json', source, packer);
    if (rejected) return { ...packer.pack(), rejected };
  }
  return packer.pack();
}
