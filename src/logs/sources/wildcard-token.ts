/**
 * A token of the source `*` speaks for every source of its app: its lines keep the names they come with. It is for other
 * routers (Heroku's, another tailrace), whose drains carry the lines of many sources.
 */
import { LruCache } from '../../common/lru-cache.ts';
import { type LogSource, WILDCARD_SOURCE } from '../router/token-cache.ts';

/** What lines are called whose own name can't be one. */
const FALLBACK_SOURCE = 'app';
const SOURCE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,47}$/;
/** Names remembered for one token. */
const NAMES_MAX = 200;

const sourcesByToken = new WeakMap<LogSource, LruCache<string, LogSource>>();

/** Whom a line with this APP-NAME speaks for, when its token is `tenant`'s. */
export function sourceForAppName(logSource: LogSource, appName: string): LogSource {
  if (logSource.source !== WILDCARD_SOURCE) return logSource;
  let sourcesByName = sourcesByToken.get(logSource);
  if (!sourcesByName) {
    sourcesByName = new LruCache(NAMES_MAX);
    sourcesByToken.set(logSource, sourcesByName);
  }
  let named = sourcesByName.get(appName);
  if (!named) {
    const source = SOURCE_NAME.test(appName) && !appName.startsWith('t.') ? appName : FALLBACK_SOURCE;
    const sourceBytes = Buffer.from(source);
    // The express lane compares APP-NAMEs with the token: here it is the name itself.
    named = {
      token: logSource.token,
      tokenBytes: Buffer.from(appName),
      app: logSource.app,
      source,
      sourceBytes,
    };
    sourcesByName.set(appName, named);
  }
  return named;
}
