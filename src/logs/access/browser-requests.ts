/** Requests of browsers that are signed in: their cookie, and that they come from our own page. */

import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { TailraceError } from '../../common/errors.ts';
import { isSameSecret } from '../../common/secret-comparison.ts';

const CSRF_HEADER = 'x-csrf-token';

/** A cookie's value (RFC 6265 section 4.2.1); undefined when there is none. */
export function cookieValue(
  { cookie }: Pick<IncomingHttpHeaders, 'cookie'>,
  name: string,
): string | undefined {
  const pair = cookie
    ?.split(';')
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) || undefined;
}

/** The cookie of a session; `secret` '' takes it away. */
export function sessionCookie(name: string, secret: string, isSecure: boolean, maxAgeMs?: number): string {
  const end = secret === '' ? '; Max-Age=0' : maxAgeMs === undefined ? '' : `; Max-Age=${maxAgeMs / 1_000}`;
  return `${name}=${secret}; Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}${end}`;
}

/** What a page of this session has to send with whatever changes something: other sites' pages can't know it. */
export function csrfToken(sessionSecret: string): string {
  return createHash('sha256').update(`csrf ${sessionSecret}`).digest('base64url');
}

/** @throws TailraceError `forbidden` for a request that another site's page makes */
export function requireOwnOrigin(headers: IncomingHttpHeaders, publicUrl: string): void {
  const site = headers['sec-fetch-site'];
  const { origin, host = '' } = headers;
  const isOwn =
    site !== undefined
      ? site === 'same-origin' || site === 'none'
      : origin === undefined || isOriginOf(origin, host, publicUrl);
  if (!isOwn) throw new TailraceError('forbidden', 'This request comes from the page of another site.');
}

/** @throws TailraceError `forbidden` unless it comes from our own page, which knows the session's token */
export function requireOwnPage(headers: IncomingHttpHeaders, sessionSecret: string, publicUrl: string): void {
  requireOwnOrigin(headers, publicUrl);
  if (!isSameSecret(String(headers[CSRF_HEADER] ?? ''), csrfToken(sessionSecret)))
    throw new TailraceError('forbidden', 'Send X-CSRF-Token with `csrf` of the session.');
}

function isOriginOf(origin: string, host: string, publicUrl: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.host === host || url.origin === publicUrl;
}
