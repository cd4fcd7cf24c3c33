import { randomBytes } from 'node:crypto';

/** A browser is started at once. */
const LIFETIME_MS = 5 * 60_000;
/** Lists give a link for each add-on: the oldest that nobody used are forgotten. */
const LINKS_MAX = 10_000;

/** Links to pages of add-ons: each opens one page, once, within a few minutes. */
export class AddonLinks {
  private readonly links = new Map<string, { readonly addon: string; readonly expiresAt: number }>();
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** @returns the secret of a new link */
  issue(addon: string): string {
    for (const [secret, { expiresAt }] of this.links) {
      if (expiresAt > this.now() && this.links.size < LINKS_MAX) break;
      this.links.delete(secret);
    }
    const secret = randomBytes(24).toString('base64url');
    this.links.set(secret, { addon, expiresAt: this.now() + LIFETIME_MS });
    return secret;
  }

  /** The add-on's id; undefined for a link that was used, is too old, or never was. */
  redeem(secret: string): string | undefined {
    const link = this.links.get(secret);
    this.links.delete(secret);
    return link && link.expiresAt > this.now() ? link.addon : undefined;
  }
}
