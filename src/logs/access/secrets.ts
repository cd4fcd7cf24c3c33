/** Secrets that clients show: links, cookies, keys. Of each only the hash is stored. */
import { createHash, randomBytes } from 'node:crypto';

/** 32 random bytes. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256, 64 hexadecimal digits. Secrets are random, so neither salt nor a slow hash is needed. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
