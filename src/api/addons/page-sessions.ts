import { randomBytes } from 'node:crypto';

/** A browser that looked at the page within this time needs no new link. */
const LIFETIME_MS = 12 * 60 * 60_000;
/** The one that was not used for the longest time is forgotten. */
const SESSIONS_MAX = 10_000;

/** Browsers that have opened the page of an add-on with a link: each has a secret of its own for that page, until it goes unused. */
export class PageSessions {
  private readonly sessions = new Map<string, { readonly addon: string; readonly expiresAt: number }>();
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** @returns the secret for the browser's cookie */
  start(addon: string): string {
    for (const [secret, { expiresAt }] of this.sessions) {
      if (expiresAt > this.now() && this.sessions.size < SESSIONS_MAX) break;
      this.sessions.delete(secret);
    }
    const secret = randomBytes(24).toString('base64url');
    this.sessions.set(secret, { addon, expiresAt: this.now() + LIFETIME_MS });
    return secret;
  }

  /** Is this the secret of a browser that may see the page of the add-on? It may for another while, then. */
  isValid(secret: string, addon: string): boolean {
    const session = this.sessions.get(secret);
    if (session?.addon !== addon || session.expiresAt <= this.now()) return false;
    this.sessions.delete(secret);
    this.sessions.set(secret, { addon, expiresAt: this.now() + LIFETIME_MS });
    return true;
  }
}
