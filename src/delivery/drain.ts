import { TailraceError } from '../errors.ts';
import type { AppId, Sequence } from '../store/contract.ts';

/** A drain's record in the store, under `drain/<id>` in the scope of no app. The URL may hold a password. */
export interface DrainRecord {
  readonly id: string;
  /** `d.<uuid>`, sent with every delivery. */
  readonly token: string;
  readonly app: AppId;
  readonly url: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Lines up to here were there before the drain, and aren't sent. */
  readonly after: Sequence;
}

/** Key of a drain's record. */
export function drainKey(id: string): string {
  return `drain/${id}`;
}

/** A drain's durable progress, under `cursor/<id>` in its app's scope. */
export interface CursorRecord {
  /** Everything up to here was accepted, or is accounted for as lost. */
  readonly after: Sequence;
  /** The request that was under way covers the lines up to here: it is repeated with exactly these. */
  readonly upTo?: Sequence;
  /** Lines accepted by the destination, and lines lost, since the drain was made. */
  readonly delivered: number;
  readonly lost: number;
  /** Of the lease under which this was written. */
  readonly fence: number;
}

/** Key of a drain's cursor. */
export function cursorKey(id: string): string {
  return `cursor/${id}`;
}

const SCHEMES = ['http:', 'https:', 'syslog:'];

/**
 * Reads a drain's URL.
 * @throws TailraceError `invalid_params` when nothing can be sent there, saying why.
 */
export function parseDrainUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new TailraceError(
      'invalid_params',
      `Invalid drain URL "${redactUrl(text)}": write https://host/path or syslog://host:port.`,
    );
  }
  if (!SCHEMES.includes(url.protocol))
    throw new TailraceError(
      'invalid_params',
      `Drains to ${url.protocol}// aren't supported: use https://, http:// or syslog://.`,
    );
  if (!url.hostname)
    throw new TailraceError('invalid_params', `The drain URL "${redactUrl(text)}" names no host.`);
  return url;
}

/** The URL as it may be printed: without a password. Everything that prints a URL goes through here. */
export function redactUrl(text: string): string {
  return text.replace(/(:\/\/[^/?#@]*?):[^/?#]*@/, '$1:****@');
}
