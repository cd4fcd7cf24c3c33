/** Reads `Authorization` headers: Basic (RFC 7617) and Bearer (RFC 6750). */

/** What a client showed. */
export type Shown =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'none' };

const NONE: Shown = { kind: 'none' };
/** The same few headers come thousands of times a second. */
const REMEMBERED_MAX = 1_000;
const remembered = new Map<string, Shown>();

/**
 * Log senders show a source token as Basic `token:t.<uuid>`; everything else is an API key: Bearer, or the password of
 * Basic with any user (as HTTP clients and `.netrc` files send it).
 */
export function readAuthorization(header: string | undefined): Shown {
  if (!header) return NONE;
  let shown = remembered.get(header);
  if (!shown) {
    shown = parse(header);
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(header, shown);
  }
  return shown;
}

function parse(header: string): Shown {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space).toLowerCase();
  const value = header.slice(space + 1).trim();
  if (scheme === 'bearer')
    return value.startsWith('t.') ? { kind: 'token', token: value } : { kind: 'key', key: value };
  if (scheme !== 'basic') return NONE;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) return NONE;
  const password = pair.slice(colon + 1);
  if (password.startsWith('t.')) return { kind: 'token', token: password };
  return password ? { kind: 'key', key: password } : NONE;
}
