/** People of this server, and the browsers that are signed in. */
import { AuthFailureThrottle } from '../../common/limits/auth-failure-throttle.ts';
import { AttemptLimits } from '../../logs/access/attempt-limits.ts';
import type { UserRecord } from '../../logs/access/people-records.ts';
import { Sessions } from '../../logs/access/sessions.ts';
import { Users } from '../../logs/access/users.ts';
import type { Store } from '../../logs/store/contract.ts';
import type { PersonRole } from './grants.ts';

/** Scope of the records. */
export const PEOPLE_SCOPE = 'people';
/** A session that isn't a person's but that of a key: `key:` and the key's hash in the place of a user's id. */
const KEY_PREFIX = 'key:';
const CLEANING_MS = 6 * 3_600_000;

export type Person = UserRecord<PersonRole>;

/** Who a browser is signed in as. */
export type SignedIn =
  | { readonly kind: 'person'; readonly person: Person }
  | { readonly kind: 'key'; readonly hash: string };

export class People {
  readonly users: Users<PersonRole>;
  readonly sessions: Sessions;
  readonly attempts = new AttemptLimits();
  readonly guesses = new AuthFailureThrottle();
  private readonly cleaning: NodeJS.Timeout;

  constructor(store: Store) {
    this.users = new Users(store, PEOPLE_SCOPE);
    this.sessions = new Sessions(store, PEOPLE_SCOPE);
    const clean = (): void => void this.sessions.removeExpired().catch(() => undefined);
    this.cleaning = setInterval(clean, CLEANING_MS).unref();
  }

  /** Signs a browser in with a key, by its hash; returns the secret for its cookie. The session ends with the key. */
  startKeySession(hash: string): Promise<string> {
    return this.sessions.start({ id: `${KEY_PREFIX}${hash}`, passwordVersion: 0 });
  }

  /** Who is signed in with a cookie, by the hash of its secret; undefined when nobody is any more. */
  async signedIn(hash: string): Promise<SignedIn | undefined> {
    const session = await this.sessions.find(hash);
    if (!session) return undefined;
    if (session.user.startsWith(KEY_PREFIX))
      return { kind: 'key', hash: session.user.slice(KEY_PREFIX.length) };
    const person = await this.users.find(session.user);
    if (person?.passwordVersion !== session.passwordVersion) return undefined;
    return { kind: 'person', person };
  }

  close(): void {
    clearInterval(this.cleaning);
  }
}
