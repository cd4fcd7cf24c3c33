import { TailraceError } from '../../../common/errors.ts';
import { cutText } from '../../../common/text/cut-text.ts';
import type { AppId, Sequence } from '../../store/contract.ts';
import type { DrainOptions } from './drain-options.ts';

/** A drain's record in the store, under `drain/<id>` in the scope of no app. The URL may hold a password. */
export interface DrainRecord {
  readonly id: string;
  /** `d.<uuid>`, sent with every shipment. */
  readonly token: string;
  readonly app: AppId;
  /** For formats with the app's name. */
  readonly appName?: string;
  readonly url: string;
  readonly options?: DrainOptions;
  /** The add-on that it was added for: it is removed with it. */
  readonly addon?: { readonly id: string; readonly name: string };
  /**
   * Left out: any. It leads to an add-on on the machine of the server with this id: no other one delivers it, and the target policy, which
   * is for addresses that users give, doesn't hold.
   */
  readonly server?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Lines up to here were stored before the drain was added, and aren't sent. */
  readonly after: Sequence;
  /** Its lines wait in the stream until it is resumed. */
  readonly paused?: boolean;
  /** The last replay that was requested: the lines after `after` are sent again. */
  readonly replay?: { readonly id: string; readonly after: Sequence };
  /**
   * The stream was restored from backups, or cut back by power cuts, that ended with these lines, oldest first: those behind may have numbers
   * that others had, which were delivered before.
   */
  readonly renumbered?: readonly { readonly id: string; readonly after: Sequence }[];
}

/** So many of these are remembered. */
const RENUMBERED_MAX = 16;

/** The drain when its stream was restored, or cut back, and ends with this line. @param id new each time */
export function renumberedDrain(drain: DrainRecord, after: Sequence, id: string): DrainRecord {
  // Of those before, some are of lines that are gone.
  const others = (drain.renumbered ?? []).filter((mark) => mark.after < after);
  return { ...drain, renumbered: [...others, { id, after }].slice(-RENUMBERED_MAX) };
}

/**
 * What names the drain in ids of what it sends, for lines up to `last`: the same for the same lines, and another one for lines that have
 * the numbers of others.
 */
export function frameIdSeed({ token, replay, renumbered }: DrainRecord, last: Sequence): string {
  const mark = renumbered?.findLast(({ after }) => after < last)?.id ?? '';
  return token + (replay?.id ?? '') + mark;
}

/** Are both the same, so that a worker can go on? */
export function isSameDrain(a: DrainRecord | undefined, b: DrainRecord): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** What keys of drains' records begin with. */
export const DRAIN_PREFIX = 'drain/';

/** Key of a drain's record. */
export function drainKey(id: string): string {
  return DRAIN_PREFIX + id;
}

/** Schemes of drain URLs, and their default ports. */
const DEFAULT_PORTS: Record<string, number> = {
  'http:': 80,
  'https:': 443,
  'syslog:': 514,
  'syslog+tls:': 6514,
};

/** As long as servers take them. */
export const URL_LENGTH_MAX = 8_192;

/** A parsed drain URL. */
export interface DrainTarget {
  readonly protocol: 'http:' | 'https:' | 'syslog:' | 'syslog+tls:';
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** `#insecure`: the destination's certificate isn't verified. */
  readonly insecure: boolean;
}

/**
 * Parses a drain's URL.
 * @throws TailraceError `invalid_params` with the reason when nothing can be sent there.
 */
export function parseDrainUrl(text: string): DrainTarget {
  if (text.length > URL_LENGTH_MAX)
    throw new TailraceError(
      'invalid_params',
      `A drain URL may have ${URL_LENGTH_MAX} characters at the most.`,
    );
  let url: URL;
  let host: string;
  try {
    url = new URL(text);
    // Of a scheme that it doesn't know, a URL leaves the host as it is: letters of other alphabets, an address as `0x7f000001`.
    host = url.hostname && new URL(`http://${url.hostname}`).hostname;
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    throw new TailraceError(
      'invalid_params',
      `Invalid drain URL "${redactUrl(text)}": write https://host/path, syslog://host:port or syslog+tls://host:port.`,
    );
  }
  const { protocol } = url;
  if (protocol !== 'http:' && protocol !== 'https:' && protocol !== 'syslog:' && protocol !== 'syslog+tls:')
    throw new TailraceError(
      'invalid_params',
      `Drains to ${protocol}// aren't supported: use https://, http://, syslog+tls:// or syslog://.`,
    );
  if (!host) throw new TailraceError('invalid_params', `The drain URL "${redactUrl(text)}" names no host.`);
  if (url.port === '0')
    throw new TailraceError(
      'invalid_params',
      `The drain URL "${redactUrl(text)}" has port 0: nothing listens there.`,
    );
  return {
    protocol,
    url,
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || DEFAULT_PORTS[protocol],
    secure: protocol === 'https:' || protocol === 'syslog+tls:',
    insecure: url.hash === '#insecure',
  };
}

/** What no address has, and what would hide the rest of it where it is printed: control characters, and others that nobody sees. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const UNPRINTABLE_RUN = /[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * The URL of a drain that is added, as it is kept: without the white space around it.
 * @throws TailraceError `invalid_params` when there are characters in it that can't be printed
 */
export function trimDrainUrl(text: string): string {
  const url = text.trim();
  if (UNPRINTABLE.test(url))
    throw new TailraceError(
      'invalid_params',
      'A drain URL has no line breaks, control or invisible characters: encode them as URLs have it (%0A).',
    );
  return url;
}

/** Names of query parameters that carry a credential. */
const SECRET_NAME = /key|token|secret|passw|auth|sig|credential/i;
const PARAMETER = /[?&][^=&#?]*=/g;
const AUTHORITY = '://';
const REDACTED = '****';

/** The URL as it may be printed: without passwords and keys. Everything that prints a URL goes through here. */
export function redactUrl(text: string): string {
  return redactParameters(redactUserinfo(text));
}

/** The user name and password of a URL as HTTP's `Basic` scheme has them (RFC 7617). */
export function basicCredentials({ username, password }: URL): string {
  return Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
}

/** Shorter ones are words that stand in any text. */
const SECRET_LENGTH_MIN = 4;

/** The credentials of a drain, which its destination may repeat in an error: of its URL, and the values of its headers. */
export function drainSecrets({
  url: text,
  options,
}: Pick<DrainRecord, 'url' | 'options'>): readonly string[] {
  const { url } = parseDrainUrl(text);
  const { username, password, searchParams } = url;
  const userinfo = [password || username].flatMap((raw) => [raw, decodeURIComponent(raw)]);
  const basic = username || password ? [basicCredentials(url)] : [];
  const parameters = [...searchParams].filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value);
  const headers = Object.values(options?.headers ?? {}).flatMap((value) => [
    value,
    ...value.split(' ').slice(1),
  ]);
  return [...userinfo, ...basic, ...parameters, ...parameters.map(encodeURIComponent), ...headers].filter(
    ({ length }) => length >= SECRET_LENGTH_MIN,
  );
}

/** A text of somebody else's as it may be printed: without these secrets, and without those of any URL. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  return redactUrl(secrets.reduce((hidden, secret) => hidden.replaceAll(secret, REDACTED), text));
}

/** Characters of what a destination gives as its reason. */
const REASON_MAX = 500;

/** What a destination says, as it is shown to people: one line that hides nothing and isn't long, without these secrets. */
export function printableReason(text: string, secrets: readonly string[] = []): string {
  const line = hideSecrets(text, secrets).replace(UNPRINTABLE_RUN, ' ').trim();
  return line.length > REASON_MAX ? `${cutText(line, REASON_MAX)}…` : line;
}

/** `://user:****@host`, `://****@host`; in what is no URL as well, wherever there is one in it. */
function redactUserinfo(text: string): string {
  let redacted = '';
  let done = 0;
  for (let at = text.indexOf(AUTHORITY); at !== -1; at = text.indexOf(AUTHORITY, done)) {
    const start = at + AUTHORITY.length;
    const end = indexOfAny(text, '/?#', start);
    const userinfo = text.slice(start, end);
    const length = userinfo.lastIndexOf('@');
    const colon = userinfo.indexOf(':');
    redacted += text.slice(done, start);
    done = start;
    if (length <= 0) continue;
    redacted += colon === -1 || colon > length ? REDACTED : `${userinfo.slice(0, colon)}:${REDACTED}`;
    done = start + length;
  }
  return redacted + text.slice(done);
}

function redactParameters(text: string): string {
  let redacted = '';
  let done = 0;
  PARAMETER.lastIndex = 0;
  for (let match = PARAMETER.exec(text); match; match = PARAMETER.exec(text)) {
    const start = PARAMETER.lastIndex;
    const end = SECRET_NAME.test(match[0]) ? indexOfAny(text, '&#', start) : start;
    if (end === start) continue;
    redacted += `${text.slice(done, start)}${REDACTED}`;
    done = end;
    PARAMETER.lastIndex = end;
  }
  return redacted + text.slice(done);
}

/** The first of these characters from `start` on, or the end. */
function indexOfAny(text: string, characters: string, start: number): number {
  let at = start;
  while (at < text.length && !characters.includes(text[at])) at++;
  return at;
}
