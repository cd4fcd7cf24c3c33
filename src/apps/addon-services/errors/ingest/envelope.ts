/**
 * Takes envelopes apart (https://develop.sentry.dev/sdk/data-model/envelopes/): a line of JSON, and items, each a line of JSON and a payload
 * that is as long as `length` says, or goes to the end of its line.
 */
import { TailraceError } from '../../../../common/errors.ts';
import { isJsonObject, type JsonObject } from '../../../../common/json-object.ts';
import { assertJsonWithinLimits, type JsonLimits } from '../../../../common/limits/json-scanner.ts';
import { memberOf, textOf } from '../event/json-access.ts';
import { SentryError } from './sentry-error.ts';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ITEMS_MAX = 1_000;
const HEADER_BYTES_MAX = 65_536;
const HEADER_LIMITS: JsonLimits = { depth: 20, keys: 200, containers: 1_000 };

export interface EnvelopeItem {
  readonly type: string;
  readonly payload: Buffer;
}

export interface Envelope {
  readonly header: JsonObject;
  readonly items: readonly EnvelopeItem[];
}

/** Reads the header alone: whose envelope it is. @throws SentryError */
export function readEnvelopeHeader(body: Buffer): JsonObject {
  return parseHeader(body.subarray(0, lineEnd(body, 0)), 'the envelope');
}

/** @throws SentryError 400 when it isn't one, 413 when it has too many items */
export function readEnvelope(body: Buffer): Envelope {
  const header = readEnvelopeHeader(body);
  const items: EnvelopeItem[] = [];
  let at = lineEnd(body, 0) + 1;
  while (at < body.length) {
    const end = lineEnd(body, at);
    // Empty lines at the end are allowed.
    if (isBlank(body, at, end)) {
      at = end + 1;
      continue;
    }
    if (items.length >= ITEMS_MAX)
      throw new SentryError(413, `envelope exceeds the limit of ${ITEMS_MAX} items`);
    const itemHeader = parseHeader(body.subarray(at, end), 'an item');
    const start = Math.min(end + 1, body.length);
    const payloadEnd = itemEnd(body, start, memberOf(itemHeader, 'length'));
    items.push({
      type: textOf(memberOf(itemHeader, 'type')) ?? '',
      payload: body.subarray(start, payloadEnd),
    });
    at = lineEnd(body, payloadEnd) + 1;
  }
  return { header, items };
}

function itemEnd(body: Buffer, start: number, length: unknown): number {
  if (length === undefined || length === null) return lineEnd(body, start);
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0)
    throw new SentryError(400, 'invalid envelope: the length of an item is no number');
  const end = start + length;
  if (end > body.length)
    throw new SentryError(400, 'invalid envelope: unexpected end of an item, it is shorter than its length');
  const isEnd = end === body.length || body[end] === NEWLINE;
  if (!isEnd && !(body[end] === CARRIAGE_RETURN && body[end + 1] === NEWLINE))
    throw new SentryError(
      400,
      'invalid envelope: missing newline behind an item, it is longer than its length',
    );
  return end;
}

function parseHeader(line: Buffer, what: string): JsonObject {
  if (line.length > HEADER_BYTES_MAX)
    throw new SentryError(413, `invalid envelope: the header of ${what} is too large`);
  return parseJson(line, HEADER_LIMITS, `invalid envelope: the header of ${what}`);
}

/** An object in JSON. @throws SentryError 400 or 413 */
export function parseJson(bytes: Buffer, limits: JsonLimits, what: string): JsonObject {
  const value = parseJsonValue(bytes, limits, what);
  if (isJsonObject(value)) return value;
  throw new SentryError(400, `${what} is no JSON object`);
}

/** Any value in JSON. @throws SentryError 400 or 413 */
export function parseJsonValue(bytes: Buffer, limits: JsonLimits, what: string): unknown {
  try {
    assertJsonWithinLimits(bytes, limits);
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    throw new SentryError(error.status === 413 ? 413 : 400, `${what} has too much in it: ${error.message}`);
  }
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new SentryError(400, `${what} is no JSON`);
  }
}

function lineEnd(body: Buffer, from: number): number {
  const at = body.indexOf(NEWLINE, from);
  return at === -1 ? body.length : at;
}

function isBlank(body: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++)
    if (body[i] !== 0x20 && body[i] !== 0x09 && body[i] !== CARRIAGE_RETURN) return false;
  return true;
}
