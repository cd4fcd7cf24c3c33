/** `static.json`, as Heroku's static buildpack has it: how a folder of files is served. */
import { isJsonObject, type JsonObject } from '../../../common/json-object.ts';

/** A redirect to another address. */
export interface StaticRedirect {
  readonly url: string;
  readonly status: number;
}

export interface StaticConfig {
  /** Folder with the files, from the app's. */
  readonly root: string;
  /** `/about` is `about.html`. */
  readonly cleanUrls: boolean;
  readonly httpsOnly: boolean;
  /** Other host names are redirected to this one. */
  readonly canonicalHost: string | undefined;
  /** A file for what isn't there. */
  readonly errorPage: string | undefined;
  readonly encoding: string;
  /** Files by pattern of the path, in order. */
  readonly routes: readonly (readonly [pattern: string, file: string])[];
  readonly redirects: readonly (readonly [path: string, redirect: StaticRedirect])[];
  readonly headers: readonly (readonly [pattern: string, headers: readonly (readonly [string, string])[]])[];
  readonly basicAuth: boolean;
}

/** Something in static.json is wrong: the message is a sentence. */
export class StaticConfigError extends Error {
  override readonly name = 'StaticConfigError';
}

/** With a static.json that doesn't say where the files are. */
const HEROKU_ROOT = 'public_html';
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

/**
 * @param json of static.json; undefined: there is none, the app's folder is served
 * @param env fills `${NAME}` in redirects
 * @throws StaticConfigError
 */
export function parseStaticConfig(
  json: JsonObject | undefined,
  env: Readonly<Record<string, string | undefined>>,
): StaticConfig {
  const fields = json ?? { root: '.' };
  if (Object.keys(recordOf(fields, 'proxies')).length > 0)
    throw new StaticConfigError(
      'proxies in static.json aren’t served here: let the page ask the other server itself, or name a buildpack with a web server.',
    );
  return {
    root: pathOf(stringOf(fields, 'root') ?? HEROKU_ROOT, 'root'),
    cleanUrls: flagOf(fields, 'clean_urls'),
    httpsOnly: flagOf(fields, 'https_only'),
    canonicalHost: stringOf(fields, 'canonical_host'),
    errorPage: optionalPath(fields, 'error_page'),
    encoding: tokenOf(stringOf(fields, 'encoding') ?? 'utf-8', 'encoding'),
    routes: Object.entries(recordOf(fields, 'routes')).map(([pattern, file]) => {
      if (typeof file !== 'string')
        throw wrong('routes', 'paths with the file for each, { "/**": "index.html" }');
      return [pattern, pathOf(file, 'routes')] as const;
    }),
    redirects: Object.entries(recordOf(fields, 'redirects')).map(
      ([path, redirect]) => [path, redirectOf(redirect, env)] as const,
    ),
    headers: Object.entries(recordOf(fields, 'headers')).map(
      ([pattern, headers]) => [pattern, headersOf(headers)] as const,
    ),
    basicAuth: flagOf(fields, 'basic_auth'),
  };
}

/** Does a path match a pattern, in which `*` stands for a part of a path and `**` for any? Takes time as their product. */
export function matchesPattern(pattern: string, path: string): boolean {
  const tokens = pattern.match(/\*\*|\*|[^*]/gs) ?? [];
  // The tokens before which the path so far may end.
  let states = spread(new Set([0]), tokens);
  for (const character of path) {
    const next = new Set<number>();
    for (const at of states) {
      const token = tokens[at];
      if (token === '**' || (token === '*' && character !== '/')) next.add(at);
      else if (token === character) next.add(at + 1);
    }
    if (next.size === 0) return false;
    states = spread(next, tokens);
  }
  return states.has(tokens.length);
}

/** Stars may stand for nothing. */
function spread(states: Set<number>, tokens: readonly string[]): Set<number> {
  for (const at of states) if (tokens[at] === '**' || tokens[at] === '*') states.add(at + 1);
  return states;
}

function wrong(field: string, should: string): StaticConfigError {
  return new StaticConfigError(`${field} in static.json must be ${should}.`);
}

function stringOf(fields: JsonObject, field: string): string | undefined {
  const value = fields[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || /[\u0000-\u001f\u007f]/.test(value)) throw wrong(field, 'a text');
  return value;
}

function flagOf(fields: JsonObject, field: string): boolean {
  const value = fields[field];
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw wrong(field, 'true or false');
  return value;
}

function recordOf(fields: JsonObject, field: string): JsonObject {
  const value = fields[field] ?? {};
  if (!isJsonObject(value)) throw wrong(field, 'an object, {…}');
  return value;
}

function optionalPath(fields: JsonObject, field: string): string | undefined {
  const value = stringOf(fields, field);
  return value === undefined ? undefined : pathOf(value, field);
}

/** A path within the folder: `docs/index.html`. */
function pathOf(text: string, field: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || text.includes('\\') || text.includes('\0'))
    throw wrong(field, 'a path within the app’s folder');
  return parts.join('/') || '.';
}

function tokenOf(text: string, field: string): string {
  if (!TOKEN.test(text)) throw wrong(field, 'a name such as utf-8');
  return text;
}

function redirectOf(value: unknown, env: Readonly<Record<string, string | undefined>>): StaticRedirect {
  const should = 'paths with { "url": "/new/", "status": 301 } for each';
  const fields = typeof value === 'string' ? { url: value } : value;
  if (typeof fields !== 'object' || fields === null || !('url' in fields) || typeof fields.url !== 'string')
    throw wrong('redirects', should);
  const status = 'status' in fields ? fields.status : 301;
  if (typeof status !== 'number' || !REDIRECT_STATUSES.includes(status))
    throw wrong('redirects', `${should}; a status is one of ${REDIRECT_STATUSES.join(', ')}`);
  const url = fields.url.replace(/\$\{(\w+)\}/g, (_, name: string) => env[name] ?? '');
  if (/[\u0000-\u0020\u007f]/.test(url)) throw wrong('redirects', should);
  return { url, status };
}

function headersOf(value: unknown): [string, string][] {
  const should = 'patterns of paths with { "Name": "value" } for each';
  if (typeof value !== 'object' || value === null) throw wrong('headers', should);
  return Object.entries(value).map(([name, text]) => {
    if (!TOKEN.test(name) || typeof text !== 'string' || /[^\t\u0020-\u007e\u0080-\u00ff]/.test(text))
      throw wrong('headers', should);
    return [name, text];
  });
}
