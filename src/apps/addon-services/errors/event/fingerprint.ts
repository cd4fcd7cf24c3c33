/** Which events are the same error: those with the same fingerprint, as Sentry groups them (https://docs.sentry.io/concepts/data-management/event-grouping/). */
import { createHash } from 'node:crypto';
import type { ErrorEvent, StackFrame } from './error-event.ts';

/** The client's own fingerprint may contain that of the server. */
const DEFAULT_PART = /^\{\{ ?default ?\}\}$/;
const PARTS_MAX = 50;
const FRAMES_MAX = 100;
/** Of a text, that many characters tell it apart. */
const TEXT_MAX = 1_000;

/** 32 hexadecimal digits: the id of the event's group. */
export function groupIdOf(event: ErrorEvent): string {
  return createHash('sha256')
    .update(JSON.stringify(fingerprintOf(event)))
    .digest('hex')
    .slice(0, 32);
}

/**
 * The client's own fingerprint, at most 50 parts, with `{{ default }}` replaced; without one what the event says of exceptions, message or
 * place.
 */
export function fingerprintOf(event: ErrorEvent): readonly string[] {
  const own = event.fingerprint?.slice(0, PARTS_MAX);
  if (!own || own.length === 0) return defaultFingerprint(event);
  return own.flatMap((part) => (DEFAULT_PART.test(part) ? defaultFingerprint(event) : [part]));
}

/** The exceptions and where they came from; else the message's template; else where it was logged. */
function defaultFingerprint(event: ErrorEvent): readonly string[] {
  const { exceptions, frames, messageTemplate } = event;
  if (exceptions.length > 0)
    return exceptions.flatMap(({ type, value, frames: calls }) => {
      const places = placesOf(calls);
      return ['exception', type, ...(places.length > 0 ? places : [maskVariable(value)])];
    });
  if (messageTemplate !== undefined) return ['message', maskVariable(messageTemplate)];
  const places = placesOf(frames);
  if (places.length > 0) return ['stack', ...places];
  return ['other', event.level, event.logger ?? '', event.transaction ?? ''];
}

/** The app's own calls, all of them where none is known to be; without line numbers, which every edit moves. */
function placesOf(frames: readonly StackFrame[]): string[] {
  const own = frames.filter(({ isInApp }) => isInApp);
  const places: string[] = [];
  for (const frame of (own.length > 0 ? own : frames).slice(-FRAMES_MAX)) {
    const place = placeOf(frame);
    // However deep a recursion was.
    if (place !== undefined && place !== places.at(-1)) places.push(place);
  }
  return places;
}

function placeOf(frame: StackFrame): string | undefined {
  const file = frame.module ?? maskBuild(frame.file ?? '');
  const name = frame.function;
  const isNamed = name !== undefined && !/^(?:\?|<anonymous>|<lambda>)$/.test(name);
  const where = isNamed ? maskVariable(name) : (frame.source?.trim().slice(0, TEXT_MAX) ?? name ?? '');
  return file === '' && where === '' ? undefined : `${file} ${where}`;
}

/** A file's name without what a build, or the place where the app is, puts into it. */
function maskBuild(file: string): string {
  return file
    .slice(-TEXT_MAX)
    .split(/[?#]/, 1)[0]
    .replace(/\b[0-9a-f]{8,}\b/gi, '<hash>')
    .replace(/^https?:\/\/[^/]+/, '');
}

/** A text without what differs from one time to another: numbers, ids, addresses, what is quoted. */
export function maskVariable(text: string): string {
  return text
    .slice(0, TEXT_MAX)
    .replace(/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, '<uuid>')
    .replace(/\b0x[0-9a-f]+\b/gi, '<hex>')
    .replace(/\b(?=[a-f]*\d)[0-9a-f]{12,}\b/gi, '<hex>')
    .replace(/[^\s@<>"'(),;:]{1,64}@[\w.-]{1,190}/g, '<email>')
    .replace(/\d+/g, '<n>');
}
