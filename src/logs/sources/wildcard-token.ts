/**
 * A token of the source `*` is valid for every source of its app: its lines keep the source names they come with. It is for
 * other routers (Heroku's, another tailrace), whose drains send the lines of many sources.
 */
import { LruCache } from '../../common/lru-cache.ts';
import { type LogSource, WILDCARD_SOURCE } from '../router/token-cache.ts';
import { maskTokensInText } from '../syslog/fields/token-text.ts';

/** The source of lines whose APP-NAME can't be a source's name. */
const FALLBACK_SOURCE = 'app';
/** Source names are part of every line: short, and without anything that a header can't hold. */
export const SOURCE_NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,47}$/;
/** Names cached for one token. */
const NAMES_MAX = 200;

const sourcesByToken = new WeakMap<LogSource, LruCache<string, LogSource>>();

/** The log source of a line with this APP-NAME and the token of `logSource`. */
export function sourceForAppName(logSource: LogSource, appName: string): LogSource {
  if (logSource.source !== WILDCARD_SOURCE) return logSource;
  let sourcesByName = sourcesByToken.get(logSource);
  if (!sourcesByName) {
    sourcesByName = new LruCache(NAMES_MAX);
    sourcesByToken.set(logSource, sourcesByName);
  }
  let named = sourcesByName.get(appName);
  if (!named) {
    const source = isSourceName(appName) ? appName : FALLBACK_SOURCE;
    const sourceBytes = Buffer.from(source);
    // The fast path compares APP-NAMEs with the token's bytes: here these are the name itself.
    named = {
      token: logSource.token,
      tokenBytes: Buffer.from(appName),
      app: logSource.app,
      source,
      sourceBytes,
      route: undefined,
    };
    sourcesByName.set(appName, named);
  }
  return named;
}

/** A name with a token in it is none: it would be shown. */
function isSourceName(text: string): boolean {
  return SOURCE_NAME_PATTERN.test(text) && !text.startsWith('t.') && maskTokensInText(text) === text;
}
