/**
 * An event as it is kept: of bounded size, and without values that are called like secrets (as Sentry's servers do it,
 * https://docs.sentry.io/security-legal-pii/scrubbing/server-side-scrubbing/).
 */
import { isJsonObject, type JsonObject } from '../../../../common/json-object.ts';

/** Characters of an event in all; about twice what SDKs send at the most. */
const EVENT_CHARACTERS_MAX = 300_000;
const TEXT_CHARACTERS_MAX = 8_192;
const KEY_CHARACTERS_MAX = 200;
const ELEMENTS_MAX = 200;
const KEYS_MAX = 200;
/** `exception.values[].stacktrace.frames[].vars` is 6 deep. */
const DEPTH_MAX = 12;
/** What a value costs besides its text. */
const VALUE_COST = 8;

/** What tells most about an error is kept first, where all of it is too much. */
const KEYS_FIRST = [
  'event_id',
  'timestamp',
  'level',
  'platform',
  'fingerprint',
  'exception',
  'sentry.interfaces.Exception',
  'logentry',
  'sentry.interfaces.Message',
  'message',
  'stacktrace',
  'transaction',
  'culprit',
  'release',
  'environment',
  'tags',
  'user',
  'request',
  'breadcrumbs',
  'contexts',
];
/** Of what is left of the space, a part of the event takes no more: something is there of each. */
const SHARE_MAX = 0.6;
/** The newest are at the end of these: where there are too many, that is kept. */
const NEWEST_LAST = ['frames', 'values', 'breadcrumbs'];

const SECRET =
  /pass(?:word|wd|phrase)|secret|api[_-]?key|authorization|credential|mysql_pwd|private[_-]?key|access[_-]?token|auth[_-]?token|csrf|^(?:auth|bearer|token|cookies?|set-cookie|session_?id|x-sentry-auth)$/i;
const FILTERED = '[Filtered]';

/** A cleaned event, and how many values were cut short or left out. */
export interface CleanEvent {
  readonly event: JsonObject;
  readonly cut: number;
}

export function cleanEvent(raw: JsonObject): CleanEvent {
  const cleaner = new Cleaner();
  const entries = Object.entries(raw).sort(([a], [b]) => rank(a) - rank(b));
  return { event: cleaner.object(entries, 1), cut: cleaner.cut };
}

function rank(key: string): number {
  const at = KEYS_FIRST.indexOf(key);
  return at === -1 ? KEYS_FIRST.length : at;
}

class Cleaner {
  private left = EVENT_CHARACTERS_MAX;
  cut = 0;

  object(entries: readonly (readonly [string, unknown])[], depth: number): JsonObject {
    const kept = entries.slice(0, KEYS_MAX);
    this.cut += entries.length - kept.length;
    // It defines own properties, also one that is called __proto__.
    return Object.fromEntries(
      kept.map(([key, value]) => [
        this.text(key, KEY_CHARACTERS_MAX),
        SECRET.test(key.slice(0, KEY_CHARACTERS_MAX)) && hasContent(value)
          ? FILTERED
          : depth === 1
            ? this.part(value, key)
            : this.value(value, depth, key),
      ]),
    );
  }

  private part(value: unknown, key: string): unknown {
    const reserved = Math.floor(Math.max(0, this.left) * (1 - SHARE_MAX));
    this.left -= reserved;
    const kept = this.value(value, 1, key);
    this.left = Math.max(0, this.left) + reserved;
    return kept;
  }

  private value(value: unknown, depth: number, key: string): unknown {
    this.left -= VALUE_COST;
    if (typeof value === 'string') return this.text(value, TEXT_CHARACTERS_MAX);
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= DEPTH_MAX || this.left <= 0) {
      this.cut++;
      return Array.isArray(value) ? '[…]' : '{…}';
    }
    if (isJsonObject(value)) return this.object(Object.entries(value), depth + 1);
    return this.array(value as readonly unknown[], depth + 1, key);
  }

  private array(elements: readonly unknown[], depth: number, key: string): readonly unknown[] {
    this.cut += Math.max(0, elements.length - ELEMENTS_MAX);
    const kept = NEWEST_LAST.includes(key) ? elements.slice(-ELEMENTS_MAX) : elements.slice(0, ELEMENTS_MAX);
    return kept.map((element) => {
      // Pairs of a header or a tag: `["Authorization", "Basic …"]`.
      if (isPair(element) && SECRET.test(element[0].slice(0, KEY_CHARACTERS_MAX)))
        return [element[0].slice(0, KEY_CHARACTERS_MAX), FILTERED];
      return this.value(element, depth, '');
    });
  }

  private text(text: string, max: number): string {
    const room = Math.min(max, Math.max(0, this.left));
    this.left -= Math.min(text.length, room);
    if (text.length <= room) return text;
    this.cut++;
    return `${text.slice(0, room)}…`;
  }
}

function hasContent(value: unknown): boolean {
  return value !== null && value !== '' && value !== false;
}

function isPair(value: unknown): value is readonly [string, unknown] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string';
}
