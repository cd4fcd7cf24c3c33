import { TurnQuota } from '../../common/limits/turns.ts';
import { LruCache } from '../../common/lru-cache.ts';
import { type AppId, mayHaveChanged, type Store } from '../store/contract.ts';

/** Where a token's lines belong: one app, one source name. */
export interface LogSource {
  readonly token: string;
  /** The token's bytes, as in a line's APP-NAME. */
  readonly tokenBytes: Uint8Array;
  readonly app: AppId;
  readonly source: string;
  readonly sourceBytes: Uint8Array;
  /** For whoever takes its lines: what it has found for them, so that it needn't look that up for each. */
  route?: object;
}

/** A token's record in the store, under `token/<token>` in the scope of no app. */
export interface TokenRecord {
  readonly token: string;
  readonly app: AppId;
  readonly source: string;
  readonly createdAt: string;
}

/** The source of a token that is valid for every source of its app: for other routers' drains. */
export const WILDCARD_SOURCE = '*';

/** Of the keys of tokens, in the scope of no app. */
export const TOKEN_PREFIX = 'token/';

/** Key of a token's record. */
export function tokenKey(token: string): string {
  return TOKEN_PREFIX + token;
}

/** How long an unknown token stays unknown without another look-up: a flood of them must not become a flood of look-ups. */
const MISS_TTL_MS = 5_000;
/** No token is longer: what is isn't looked up, nor remembered. */
const TOKEN_LENGTH_MAX = 255;
/** Unknown tokens cached at the most. */
const MISSES_MAX = 10_000;
/** So many are looked up in a turn of the event loop, for whomever: what was read of a connection may have hundreds that were guessed. */
const LOOKUPS_A_TURN = 16;

/** Finds the log source of a token. `LogRouter` is one; parsers of lines depend on no more than this. */
export interface TokenLookup {
  /** Grows when tokens were made or revoked: whoever caches a log source looks its token up again. */
  readonly tokensVersion: number;
  /** The token's log source; null when there is none, undefined when it has to be looked up with {@link loadToken}. */
  lookupToken(token: string): LogSource | null | undefined;
  /** Looks a token up in the store; null when there is none. */
  loadToken(token: string): Promise<LogSource | null>;
}

/** Caches tokens: those of the store, and for a while those that it doesn't have. */
export class TokenCache {
  private readonly store: Store;
  private readonly hits = new Map<string, LogSource>();
  /** Until when a token stays unknown, on the clock of `now`, which is never set. */
  private readonly misses = new LruCache<string, number>(MISSES_MAX);
  private readonly now: () => number;
  private readonly turns = new TurnQuota(LOOKUPS_A_TURN);
  /** Grows when tokens were made or revoked. */
  version = 0;

  constructor(store: Store, now: () => number = () => performance.now()) {
    this.store = store;
    this.now = now;
    store.watchRecords((scope, keys) => {
      // Tokens are records in the scope of no app.
      if (scope === '' && mayHaveChanged(keys, TOKEN_PREFIX)) this.forget(keys);
    });
  }

  /** The token's log source, null when it is known to be unknown, undefined when it has to be looked up in the store. */
  lookup(token: string): LogSource | null | undefined {
    const logSource = this.hits.get(token);
    if (logSource) return logSource;
    if (token.length > TOKEN_LENGTH_MAX) return null;
    const until = this.misses.get(token);
    if (until === undefined) return undefined;
    if (until > this.now()) return null;
    this.misses.delete(token);
    return undefined;
  }

  /** Looks up in the store a token that {@link lookup} doesn't know. */
  async load(token: string): Promise<LogSource | null> {
    if (token.length > TOKEN_LENGTH_MAX) return null;
    const turn = this.turns.take();
    if (turn) {
      await turn;
      const known = this.lookup(token);
      if (known !== undefined) return known;
    }
    const { version } = this;
    const record = token.startsWith('t.')
      ? await this.store.get<TokenRecord>('', tokenKey(token))
      : undefined;
    // It may have been made or revoked since the record was read.
    if (version !== this.version) return this.load(token);
    if (!record) {
      this.misses.set(token, this.now() + MISS_TTL_MS);
      return null;
    }
    const { app, source } = record.value;
    const logSource: LogSource = {
      token,
      tokenBytes: Buffer.from(token),
      app,
      source,
      sourceBytes: Buffer.from(source),
      route: undefined,
    };
    this.hits.set(token, logSource);
    return logSource;
  }

  /** @param keys of records that have changed; undefined: any may have */
  private forget(keys: readonly string[] | undefined): void {
    this.version++;
    if (keys === undefined) {
      this.hits.clear();
      this.misses.clear();
      return;
    }
    for (const key of keys) {
      if (!key.startsWith(TOKEN_PREFIX)) continue;
      const token = key.slice(TOKEN_PREFIX.length);
      this.hits.delete(token);
      this.misses.delete(token);
    }
  }
}
