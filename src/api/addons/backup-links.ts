import { randomBytes } from 'node:crypto';
import { LruCache } from '../../common/lru-cache.ts';
import type { AppId } from '../../logs/store/contract.ts';

/** A backup may be large, and its download begun again. */
const LIFETIME_MS = 3_600_000;
const LINKS_MAX = 10_000;

interface BackupLink {
  readonly app: AppId;
  readonly uuid: string;
  readonly expiresAtMs: number;
}

/** Secret addresses of backups, each good for an hour: whoever has one needs no key. */
export class BackupLinks {
  private readonly links = new LruCache<string, BackupLink>(LINKS_MAX);

  /** @returns its secret */
  issue(app: AppId, uuid: string, nowMs = Date.now()): { readonly secret: string; readonly expiresAt: Date } {
    const secret = randomBytes(24).toString('base64url');
    const expiresAtMs = nowMs + LIFETIME_MS;
    this.links.set(secret, { app, uuid, expiresAtMs });
    return { secret, expiresAt: new Date(expiresAtMs) };
  }

  /** Undefined for one that is too old, or never was. */
  find(secret: string, nowMs = Date.now()): BackupLink | undefined {
    const link = this.links.get(secret);
    return link && nowMs < link.expiresAtMs ? link : undefined;
  }
}
