/** Reads `Authorization` headers: Basic (RFC 7617) and Bearer (RFC 6750). */

import { LruCache } from '../lru-cache.ts';
import { trimOws } from './fields.ts';

/** The credentials of a request. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'none' };

const NO_CREDENTIALS: Credentials = { kind: 'none' };
/** The same few headers come thousands of times a second. */
const CACHE_MAX = 1_000;
const cache = new LruCache<string, Credentials>(CACHE_MAX);

/**
 * Log senders authenticate with a source token as Basic `token:t.<uuid>`; everything else is an API key: Bearer, or the password of
 * Basic with any user (as HTTP clients and `.netrc` files send it).
 */
export function readAuthorization(header: string | undefined): Credentials {
  if (!header) return NO_CREDENTIALS;
  let credentials = cache.get(header);
  if (!credentials) {
    credentials = parse(header);
    // Passwords aren't kept in memory.
    if (!readPassword(header)) cache.set(header, credentials);
  }
  return credentials;
}

/** An address and a password, as Basic: how people sign in to get a key. Undefined for everything else, keys too. */
export function readPassword(header: string | undefined): { email: string; password: string } | undefined {
  const [, encoded] = /^basic +(\S+)$/i.exec(header ?? '') ?? [];
  const pair = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  const [email, password] = [pair.slice(0, Math.max(colon, 0)), pair.slice(colon + 1)];
  return email.includes('@') && password !== '' && !/^[kt]\./.test(password)
    ? { email, password }
    : undefined;
}

function parse(header: string): Credentials {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space).toLowerCase();
  const value = trimOws(header, space + 1);
  if (scheme === 'bearer')
    return value.startsWith('t.') ? { kind: 'token', token: value } : { kind: 'key', key: value };
  if (scheme !== 'basic') return NO_CREDENTIALS;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) return NO_CREDENTIALS;
  const password = pair.slice(colon + 1);
  if (password.startsWith('t.')) return { kind: 'token', token: password };
  return password ? { kind: 'key', key: password } : NO_CREDENTIALS;
}
