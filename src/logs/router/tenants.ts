import type { AppId, Store } from '../store/contract.ts';

/** Whom a token speaks for: one app, one source name. */
export interface Tenant {
  readonly token: string;
  /** The token as it stands in a line's APP-NAME. */
  readonly tokenBytes: Uint8Array;
  readonly app: AppId;
  readonly source: string;
  readonly sourceBytes: Uint8Array;
}

/** A token's record in the store, under `token/<token>` in the scope of no app. */
export interface TokenRecord {
  readonly token: string;
  readonly app: AppId;
  readonly source: string;
  readonly createdAt: string;
}

/** The source of a token that speaks for every source of its app: for other routers' drains. */
export const ANY_SOURCE = '*';

/** Key of a token's record. */
export function tokenKey(token: string): string {
  return `token/${token}`;
}

/** How long an unknown token stays unknown without asking again: a flood of them must not become a flood of look-ups. */
const MISS_MS = 5_000;
/** Unknown tokens remembered at the most. */
const MISSES_MAX = 10_000;

/** Looks tokens up: in memory, and in the store on a miss. Misses are remembered too, for a while. */
export class Tenants {
  private readonly store: Store;
  private readonly known = new Map<string, Tenant>();
  private readonly misses = new Map<string, number>();
  private readonly now: () => number;
  /** Grows when tokens were made or revoked. */
  version = 0;

  constructor(store: Store, now: () => number = Date.now) {
    this.store = store;
    this.now = now;
    store.watch((scope) => {
      // Tokens live in the scope of no app. They change seldom: forget all, and ask again.
      if (scope === '') this.forget();
    });
  }

  /** The token's tenant, null when it is known to be unknown, undefined when the store has to be asked. */
  find(token: string): Tenant | null | undefined {
    const tenant = this.known.get(token);
    if (tenant) return tenant;
    const until = this.misses.get(token);
    if (until === undefined) return undefined;
    if (until > this.now()) return null;
    this.misses.delete(token);
    return undefined;
  }

  /** Asks the store for a token that `find` doesn't know. */
  async load(token: string): Promise<Tenant | null> {
    const record = token.startsWith('t.')
      ? await this.store.get<TokenRecord>('', tokenKey(token))
      : undefined;
    if (!record) {
      if (this.misses.size >= MISSES_MAX) this.misses.clear();
      this.misses.set(token, this.now() + MISS_MS);
      return null;
    }
    const { app, source } = record.value;
    const tenant: Tenant = {
      token,
      tokenBytes: Buffer.from(token),
      app,
      source,
      sourceBytes: Buffer.from(source),
    };
    this.known.set(token, tenant);
    return tenant;
  }

  private forget(): void {
    this.version++;
    this.known.clear();
    this.misses.clear();
  }
}
