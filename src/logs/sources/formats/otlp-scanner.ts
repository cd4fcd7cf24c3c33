/**
 * Looks through a request in protobuf before it is decoded: two bytes are a whole record, and an object in memory. Messages and fields
 * are those of otlp-schema.ts.
 */
import { TailraceError } from '../../../common/errors.ts';
import { JSON_LIMITS } from '../../../common/limits/json-scanner.ts';
import { OTLP_MESSAGES, type OtlpMessage } from './otlp-schema.ts';
import { LINES_MAX, tooManyLines } from './packed-lines.ts';

/** Wire types (protobuf's encoding, "Message structure"). */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
const WIRE_TYPES: Readonly<Record<string, number>> = {
  fixed64: FIXED64,
  fixed32: FIXED32,
  double: FIXED64,
  int32: VARINT,
  uint32: VARINT,
  int64: VARINT,
  bool: VARINT,
};
const VARINT_BYTES_MAX = 10;
const TAG_MAX = 0xffffffff;

/** A field, by its number. */
interface FieldRule {
  readonly wireType: number;
  /** The message that it holds. */
  readonly message?: MessageRule;
}
interface MessageRule {
  readonly isRecord: boolean;
  /** What is in it is looked at by itself. */
  readonly isOpaque?: boolean;
  readonly fields: (FieldRule | undefined)[];
}

const OPAQUE_RECORD: MessageRule = { isRecord: true, isOpaque: true, fields: [] };
const rules = new Map<string, MessageRule>();
for (const name of Object.keys(OTLP_MESSAGES))
  rules.set(name, { isRecord: name === 'LogRecord', fields: [] });
for (const [name, { fields }] of Object.entries(OTLP_MESSAGES))
  for (const [field, { id, type }] of Object.entries(fields)) {
    const rule = rules.get(name);
    const message = field === 'logRecords' && type === 'bytes' ? OPAQUE_RECORD : rules.get(type);
    if (rule) rule.fields[id] = { wireType: WIRE_TYPES[type] ?? LENGTH, message };
  }
const REQUEST = 'ExportLogsServiceRequest';
/** How deep a record is in a request. */
const RECORD_DEPTH = 4;

/**
 * Does a request have so many messages (records, which count twice, attributes, values) at the most? It is looked at only as far as that takes.
 * @throws TailraceError as {@link assertOtlpWithinLimits}
 */
export function hasFewOtlpMessages(body: Uint8Array, max: number): boolean {
  const scanner = new OtlpScanner(body, max);
  scanner.scan(REQUEST);
  return !scanner.isStopped;
}

/**
 * Looks at what is around the records of a request, and how many there are.
 * @throws TailraceError as {@link assertOtlpWithinLimits}
 */
export function assertOtlpFrameWithinLimits(body: Uint8Array): void {
  new OtlpScanner(body, Number.POSITIVE_INFINITY).scan('RequestOfBytes');
}

/** Looks at a record by itself. @throws TailraceError as {@link assertOtlpWithinLimits} */
export function assertOtlpRecordWithinLimits(record: Uint8Array): void {
  assertOtlpWithinLimits(record, 'LogRecord', RECORD_DEPTH);
}

/**
 * Looks at all of a request, or of another message that is so deep in it.
 * @throws TailraceError `bad_request` when it can't be one, is nested too deep or has a message with too many parts; `too_large` for too
 * many records or parts.
 */
export function assertOtlpWithinLimits(body: Uint8Array, name: OtlpMessage = REQUEST, depth = 1): void {
  new OtlpScanner(body, Number.POSITIVE_INFINITY).scan(name, depth);
}

class OtlpScanner {
  private readonly bytes: Uint8Array;
  private at = 0;
  private records = 0;
  /** Messages in all. */
  private messages = 0;
  private readonly stopAfter: number;
  /** There are more messages than it should look at. */
  isStopped = false;

  constructor(bytes: Uint8Array, stopAfter: number) {
    this.bytes = bytes;
    this.stopAfter = stopAfter;
  }

  scan(name: OtlpMessage, depth = 1): void {
    const rule = rules.get(name);
    if (rule) this.scanMessage(rule, this.bytes.length, depth);
  }

  /** Scans the message that ends at `end`; calls itself as deep as messages may be. */
  private scanMessage(rule: MessageRule, end: number, depth: number): void {
    if (depth > JSON_LIMITS.depth)
      throw new TailraceError('bad_request', 'Bad request: the values are nested too deep.');
    let parts = 0;
    while (this.at < end && !this.isStopped) {
      const tag = this.readVarint();
      const wireType = tag & 7;
      const field = rule.fields[tag >>> 3];
      if (tag > TAG_MAX || tag >>> 3 === 0) throw notOtlp();
      const next = this.endOfValue(wireType);
      if (next > end) throw notOtlp();
      if (field && field.wireType !== wireType)
        throw notOtlp(': its fields are those of something else, such as traces or metrics');
      if (field?.message) {
        this.countMessage(field.message);
        if (field.message.isOpaque) this.at = next;
        else if (!rule.isRecord || ++parts <= JSON_LIMITS.keys)
          this.scanMessage(field.message, next, depth + 1);
        else
          throw new TailraceError(
            'bad_request',
            `Bad request: a record in it has over ${JSON_LIMITS.keys} attributes.`,
          );
      }
      this.at = next;
    }
  }

  private countMessage({ isRecord }: MessageRule): void {
    // A record is a line: more work than a value.
    if (this.messages + this.records > this.stopAfter) this.isStopped = true;
    if (isRecord && ++this.records > LINES_MAX) throw tooManyLines();
    if (++this.messages > JSON_LIMITS.containers)
      throw new TailraceError(
        'too_large',
        `The request has over ${JSON_LIMITS.containers} values: send it in several requests.`,
      );
  }

  /** Where the value at `at` ends; `at` is where its content starts then. */
  private endOfValue(wireType: number): number {
    switch (wireType) {
      case VARINT:
        this.readVarint();
        return this.at;
      case FIXED64:
        return this.at + 8;
      case LENGTH: {
        const length = this.readVarint();
        return this.at + length;
      }
      case FIXED32:
        return this.at + 4;
      default:
        // Groups, which no version of these messages has, and wire types that don't exist.
        throw notOtlp();
    }
  }

  /** A varint's value as far as a number holds it: large ones are only skipped. */
  private readVarint(): number {
    const { bytes } = this;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw notOtlp();
  }
}

/** The refusal of a body that is something else. */
export function notOtlp(detail = '', cause?: unknown): TailraceError {
  return new TailraceError('bad_request', `Bad request: the body is no ExportLogsServiceRequest${detail}.`, {
    cause,
  });
}
