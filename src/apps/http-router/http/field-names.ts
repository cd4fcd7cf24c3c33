/** What a name of a header or trailer field may be, and which fields belong to the router. */

/** Upper case is to be turned to lower case before. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** What nearly every name is made of. */
const PLAIN = /^[a-z0-9-]+$/;
const NOT_PLAIN = /[^a-z0-9-]/g;

/**
 * Fields that the router reads, sets or drops, and those of proxies in front of it: a dyno gets them as they were understood on the way,
 * or not at all. In a trailer, or under a name that means the same to a CGI-like server, they would get past.
 */
const ROUTER_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-real-ip',
  'x-request-id',
  'x-request-start',
]);

/** What the names of other fields of proxies begin with. */
const FORWARDED = 'x-forwarded-';

/** Fields that mean something before the body is read, which a trailer would change behind it (RFC 9110 section 6.5.1). */
const HEADER_ONLY_FIELDS: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'range',
  'retry-after',
  'set-cookie',
  'vary',
  'warning',
  'www-authenticate',
]);

/** What `name` is, in lower case: a plain name, another token, or '' for what no field may be called. */
export function checkFieldName(name: string): 'plain' | 'unusual' | '' {
  if (PLAIN.test(name)) return 'plain';
  return TOKEN.test(name) ? 'unusual' : '';
}

/**
 * Could a server take this unusual name for one of the router's fields? CGI, WSGI and Rack write `X-Forwarded-For` and
 * `X_Forwarded-For` the same way, and some servers all names that differ in nothing but punctuation.
 */
export function isRouterFieldInDisguise(name: string): boolean {
  return isRouterField(name.replace(NOT_PLAIN, '-'));
}

/** May a field with this name, in lower case, be a trailer? */
export function isTrailerName(name: string): boolean {
  if (!TOKEN.test(name)) return false;
  const plain = name.replace(NOT_PLAIN, '-');
  return !isRouterField(plain) && !HEADER_ONLY_FIELDS.has(plain);
}

function isRouterField(name: string): boolean {
  return ROUTER_FIELDS.has(name) || name.startsWith(FORWARDED);
}
