/**
 * Lines of OTLP without decoding it, for the records that the WebAssembly fast path understands; each of the others is read as `otlp.ts`
 * does. What a request as a whole is, and what is refused of it, is up to `otlp.ts`: here is what collectors and SDKs send.
 */
import { isUtf8 } from 'node:buffer';
import { isJsonObject } from '../../../common/json-object.ts';
import { JSON_LIMITS, JsonScanner } from '../../../common/limits/json-scanner.ts';
import { parseJsonAt } from './json-lines.ts';
import { type OddRecords, skipJsonSpace } from './json-records.ts';
import { type OtlpSender, type OtlpSource, otlpScope, otlpSender, otlpToSyslogLine } from './otlp.ts';
import { assertOtlpWithinLimits } from './otlp-scanner.ts';
import { decodeOtlp, type OtlpMessage } from './otlp-schema.ts';
import type { LinePacker } from './packed-lines.ts';
import { type CommonData, headerSender } from './structured-line.ts';
import { type RecordForm, RecordKind, RecordScanner } from './wasm/wasm-records.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Of the objects and arrays around a record, there are fewer than that. */
const OUTER_DEPTH = 10;
const OUTER_CONTAINERS = 100_000;
/** An object takes so many bytes at the least, as senders write them: what is shorter is left to the scanner of the whole request. */
const OUTER_BYTES = 8;

/** A request isn't what the fast path reads. */
class NotCommon extends Error {}

/**
 * Packs the lines of a request, as records rather than frames where that is wanted and possible; false, or an error, when that isn't possible: then nothing that was packed counts.
 */
export function packOtlpRecords(
  body: Buffer,
  isJson: boolean,
  source: OtlpSource,
  packer: LinePacker,
  odd: OddRecords,
  form?: RecordForm,
): boolean {
  const request = isJson
    ? new JsonRequest(body, source, packer, odd, form)
    : new ProtobufRequest(body, source, packer, odd, form);
  request.pack();
  return request.isWithinLimits;
}

/** What both forms have in common. */
abstract class OtlpRequest {
  protected readonly body: Buffer;
  private readonly source: OtlpSource;
  protected readonly packer: LinePacker;
  protected readonly odd: OddRecords;
  protected readonly scanner: RecordScanner;
  protected sender: OtlpSender;
  private scope: CommonData;
  /** Where it is read. */
  protected at = 0;
  private outerContainers = 0;

  constructor(body: Buffer, source: OtlpSource, packer: LinePacker, odd: OddRecords, form?: RecordForm) {
    this.body = body;
    this.source = source;
    this.packer = packer;
    this.odd = odd;
    this.scanner = new RecordScanner(body, packer, form);
    this.sender = otlpSender(undefined, source);
    this.scope = otlpScope(undefined);
  }

  abstract pack(): void;

  /** The records that follow are of this resource. */
  protected setResource(resource: unknown): void {
    this.sender = otlpSender(resource, this.source);
    const { hostname, source, dyno } = this.sender;
    if (!this.scanner.setSender(headerSender(hostname, source, dyno))) throw new NotCommon();
  }

  /** The records that follow are of this scope. */
  protected setScope(scope: unknown): void {
    this.scope = otlpScope(scope);
    const { params } = this.scope;
    if (params === undefined || !this.scanner.setCommonData(params)) throw new NotCommon();
  }

  /** A resource or a scope, with so many bytes of its own. */
  protected countOuter(bytes: number): void {
    this.outerContainers += 1 + bytes / OUTER_BYTES;
    if (this.outerContainers > OUTER_CONTAINERS) throw new NotCommon();
  }

  /** A record that the fast path doesn't understand. */
  protected add(record: unknown, bytes: number): void {
    if (!isJsonObject(record) || !this.odd.spend(bytes)) throw new NotCommon();
    this.packer.add(otlpToSyslogLine(record, this.sender, this.scope));
  }
}

/** Tags of fields that have a length: of `resourceLogs`, `resource`, `scope`; of `scopeLogs`, `logRecords`; of `schemaUrl`. */
const FIRST = 0x0a;
const SECOND = 0x12;
const THIRD = 0x1a;

class ProtobufRequest extends OtlpRequest {
  private areLimitsChecked = false;

  get isWithinLimits(): boolean {
    return this.areLimitsChecked || this.scanner.containers + OUTER_CONTAINERS <= JSON_LIMITS.containers;
  }

  pack(): void {
    const { body } = this;
    while (this.at < body.length) {
      if (body[this.at++] !== FIRST) throw new NotCommon();
      this.packResource(this.readLength(body.length));
    }
  }

  private packResource(end: number): void {
    this.countOuter(0);
    this.setResource(undefined);
    for (let isFirst = true; this.at < end; isFirst = false) {
      const tag = this.body[this.at++];
      const next = this.readLength(end);
      if (tag === FIRST && isFirst) this.setResource(this.decodeOuter('Resource', next));
      else if (tag === SECOND) this.packScope(next);
      else if (tag !== THIRD) throw new NotCommon();
      this.at = next;
    }
  }

  private packScope(end: number): void {
    this.countOuter(0);
    this.setScope(undefined);
    for (let isFirst = true; this.at < end; isFirst = false) {
      const tag = this.body[this.at];
      if (tag === SECOND) this.packRecords(end);
      else {
        this.at++;
        const next = this.readLength(end);
        if (tag === FIRST && isFirst) this.setScope(this.decodeOuter('Scope', next));
        else if (tag !== THIRD) throw new NotCommon();
        this.at = next;
      }
    }
  }

  private packRecords(end: number): void {
    const isRead = this.scanner.scan(RecordKind.otlp, this.at, end);
    this.at = this.scanner.position;
    if (isRead) return;
    if (!this.areLimitsChecked) assertOtlpWithinLimits(this.body);
    this.areLimitsChecked = true;
    this.at++;
    const next = this.readLength(end);
    this.add(this.decode('LogRecord', next), next - this.at);
    this.at = next;
  }

  /** A message that the fast path doesn't look at. */
  private decodeOuter(name: OtlpMessage, end: number): unknown {
    this.countOuter(end - this.at);
    assertOtlpWithinLimits(this.body.subarray(this.at, end), name, OUTER_DEPTH);
    return this.decode(name, end);
  }

  private decode(name: OtlpMessage, end: number): unknown {
    return decodeOtlp(this.body.subarray(this.at, end), name);
  }

  /** Reads a length; returns where what has it ends. */
  private readLength(end: number): number {
    let length = 0;
    for (let factor = 1; factor <= 0x1000_0000 && this.at < end; factor *= 0x80) {
      const byte = this.body[this.at++];
      length += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      if (this.at + length > end) break;
      return this.at + length;
    }
    throw new NotCommon();
  }
}

class JsonRequest extends OtlpRequest {
  private readonly values: JsonScanner;

  constructor(body: Buffer, source: OtlpSource, packer: LinePacker, odd: OddRecords, form?: RecordForm) {
    super(body, source, packer, odd, form);
    this.values = new JsonScanner(body, { ...JSON_LIMITS, depth: JSON_LIMITS.depth - OUTER_DEPTH });
  }

  get isWithinLimits(): boolean {
    const { scanner, values } = this;
    return scanner.containers + values.containers + OUTER_CONTAINERS <= JSON_LIMITS.containers;
  }

  pack(): void {
    const { body } = this;
    if (!isUtf8(body)) throw new NotCommon();
    this.readObject((name) => {
      if (name !== 'resourceLogs') throw new NotCommon();
      this.readList(() => this.packResource());
    });
    if (this.at !== body.length) throw new NotCommon();
  }

  private packResource(): void {
    this.countOuter(0);
    this.setResource(undefined);
    let isBehind = false;
    this.readObject((name) => {
      if (name === 'resource' && !isBehind) this.setResource(this.readValue(OPEN_BRACE));
      else if (name === 'scopeLogs') {
        isBehind = true;
        this.readList(() => this.packScope());
      } else if (name === 'schemaUrl') this.readValue(QUOTE);
      else throw new NotCommon();
    });
  }

  private packScope(): void {
    this.countOuter(0);
    this.setScope(undefined);
    let isBehind = false;
    this.readObject((name) => {
      if (name === 'logRecords') {
        isBehind = true;
        this.packRecords();
      } else if (name === 'scope' && !isBehind) this.setScope(this.readValue(OPEN_BRACE));
      else if (name === 'schemaUrl') this.readValue(QUOTE);
      else throw new NotCommon();
    });
  }

  private packRecords(): void {
    const { body, scanner } = this;
    this.take(OPEN_BRACKET);
    if (this.takeIf(CLOSE_BRACKET)) return;
    scanner.isBehind = false;
    while (!scanner.scan(RecordKind.otlpElements, this.at, body.length)) {
      this.at = scanner.position;
      this.skipSpace();
      if (scanner.isBehind) this.take(COMMA);
      const start = this.at;
      this.add(this.readValue(OPEN_BRACE), this.values.end - start);
      scanner.isBehind = true;
    }
    this.at = scanner.position;
    this.skipSpace();
  }

  /** Reads an object; `read` gets each name once, and reads the value. */
  private readObject(read: (name: string) => void): void {
    const names = new Set<string>();
    this.skipSpace();
    this.take(OPEN_BRACE);
    if (this.takeIf(CLOSE_BRACE)) return;
    for (;;) {
      const name = this.readValue(QUOTE);
      if (typeof name !== 'string' || names.has(name)) throw new NotCommon();
      names.add(name);
      this.take(COLON);
      read(name);
      if (this.takeIf(CLOSE_BRACE)) return;
      this.take(COMMA);
    }
  }

  private readList(read: () => void): void {
    this.take(OPEN_BRACKET);
    if (this.takeIf(CLOSE_BRACKET)) return;
    for (;;) {
      read();
      if (this.takeIf(CLOSE_BRACKET)) return;
      this.take(COMMA);
    }
  }

  /** A value that begins with this byte. */
  private readValue(byte: number): unknown {
    const { body, values, at } = this;
    if (body[at] !== byte) throw new NotCommon();
    values.setRange(at, body.length);
    values.next();
    this.at = values.end;
    this.skipSpace();
    return parseJsonAt(body, at, values.end, 'the body');
  }

  private take(byte: number): void {
    if (!this.takeIf(byte)) throw new NotCommon();
  }

  private takeIf(byte: number): boolean {
    if (this.body[this.at] !== byte) return false;
    this.at++;
    this.skipSpace();
    return true;
  }

  private skipSpace(): void {
    this.at = skipJsonSpace(this.body, this.at);
  }
}
