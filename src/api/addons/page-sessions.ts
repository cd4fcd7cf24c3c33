import { randomBytes } from 'node:crypto';
import type { AddonTicket } from './addon-scene.ts';

/** A browser that looked at the page within this time needs no new link. */
const LIFETIME_MS = 12 * 60 * 60_000;
/** The one that was not used for the longest time is forgotten. */
const SESSIONS_MAX = 10_000;

/** Browsers that have opened the page of an add-on with a link: each has a secret of its own for that page, until it goes unused. */
export class PageSessions {
  private readonly sessions = new Map<string, AddonTicket & { readonly expiresAt: number }>();
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** @returns the secret for the browser's cookie */
  start({ addon, by }: AddonTicket): string {
    for (const [secret, { expiresAt }] of this.sessions) {
      if (expiresAt > this.now() && this.sessions.size < SESSIONS_MAX) break;
      this.sessions.delete(secret);
    }
    const secret = randomBytes(24).toString('base64url');
    this.sessions.set(secret, { addon, by, expiresAt: this.now() + LIFETIME_MS });
    return secret;
  }

  /** Hash of the grant of which a browser sees the page of the add-on, by its secret: for another while, then. Undefined: it may not. */
  grantHash(secret: string, addon: string): string | undefined {
    const session = this.sessions.get(secret);
    if (session?.addon !== addon || session.expiresAt <= this.now()) return undefined;
    this.sessions.delete(secret);
    this.sessions.set(secret, { ...session, expiresAt: this.now() + LIFETIME_MS });
    return session.by;
  }
}
