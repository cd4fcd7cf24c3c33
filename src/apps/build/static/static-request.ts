/** What a request to a static site means, before any file is looked at: pure. */
import { matchesPattern, type StaticConfig } from './static-config.ts';

/** Files of the platform in the app's folder: they aren't part of the site. */
const NOT_SERVED = new Set(['Procfile', 'static.json', 'app.json', 'heroku.yml']);

export type StaticRequest =
  | { readonly kind: 'refuse'; readonly status: 400 | 404 | 405 }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  /** @param path decoded, begins with a slash, without `..` and empty parts */
  | { readonly kind: 'path'; readonly path: string };

export interface StaticRequestHead {
  readonly method: string;
  /** The request's target: `/a%20b?c`. */
  readonly target: string;
  readonly host: string;
  /** `X-Forwarded-Proto`. */
  readonly protocol: string | undefined;
}

/**
 * What can't be read is refused first (400, 405); then come redirects, to the canonical host before those to https; then names that are hidden
 * (404).
 */
export function readStaticRequest(
  { method, target, host, protocol }: StaticRequestHead,
  config: Pick<StaticConfig, 'httpsOnly' | 'canonicalHost'>,
): StaticRequest {
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'refuse', status: 405 };
  const [encoded, ...query] = target.split('?');
  if (!encoded.startsWith('/')) return { kind: 'refuse', status: 400 };
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    return { kind: 'refuse', status: 400 };
  }
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return { kind: 'refuse', status: 400 };
  const rest = query.length === 0 ? '' : `?${query.join('?')}`;
  const canonical = config.canonicalHost;
  if (canonical !== undefined && host !== canonical)
    return {
      kind: 'redirect',
      status: 301,
      location: `${protocol ?? 'http'}://${canonical}${encoded}${rest}`,
    };
  if (config.httpsOnly && protocol !== 'https' && /^[\w.:[\]-]+$/.test(host))
    return {
      kind: 'redirect',
      status: 301,
      location: `https://${host.replace(/:\d+$/, '')}${encoded}${rest}`,
    };
  const parts = path.split('/').slice(1);
  if (parts.some((part, i) => part === '..' || part === '.' || (part === '' && i < parts.length - 1)))
    return { kind: 'refuse', status: 404 };
  if (parts.some((part) => part.startsWith('.') && part !== '.well-known'))
    return { kind: 'refuse', status: 404 };
  if (NOT_SERVED.has(parts.join('/'))) return { kind: 'refuse', status: 404 };
  return { kind: 'path', path };
}

/**
 * The files to try for a path, from the site's root, the first one first.
 * @returns with a slash at the end: a folder, which is redirected to
 */
export function candidateFiles(path: string, cleanUrls: boolean): string[] {
  const name = path.slice(1);
  if (path.endsWith('/')) return [`${name}index.html`];
  return [name, ...(cleanUrls ? [`${name}.html`] : []), `${name}/`];
}

/** `/about` for `/about.html`, `/docs/` for `/docs/index.html`; undefined: it is clean. */
export function cleanPath(path: string): string | undefined {
  if (!path.endsWith('.html')) return undefined;
  return path.endsWith('/index.html') ? path.slice(0, -'index.html'.length) : path.slice(0, -'.html'.length);
}

/** The first redirect of a path without a file of its own, with or without a slash at its end; undefined when there is none. */
export function redirectFor(path: string, config: Pick<StaticConfig, 'redirects'>) {
  const without = path.replace(/\/$/, '');
  return config.redirects.find(([from]) => from === path || from.replace(/\/$/, '') === without)?.[1];
}

/** The file of the first route whose pattern matches, for a path without a file and a redirect; undefined when there is none. */
export function routeFor(path: string, config: Pick<StaticConfig, 'routes'>): string | undefined {
  return config.routes.find(([pattern]) => matchesPattern(pattern, path))?.[1];
}

/** Headers of all patterns that match, the later ones over the earlier. */
export function headersFor(
  path: string,
  config: Pick<StaticConfig, 'headers'>,
): (readonly [string, string])[] {
  return config.headers.flatMap(([pattern, headers]) => (matchesPattern(pattern, path) ? headers : []));
}

/** A single range of bytes (RFC 9110 section 14.2). */
export type FileRange = { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined;

/** @returns undefined: the whole file, also for what isn't understood */
export function parseFileRange(header: string | undefined, size: number): FileRange {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  return start >= size || (first === '' && Number(last) === 0) ? 'unsatisfiable' : { start, end };
}
