/** Basic authentication (RFC 7617) in constant time. */

import { createHash, timingSafeEqual } from 'node:crypto';

export interface Credentials {
  user: string;
  password: string;
}

export function isAuthorized(header: string | undefined, credentials: Credentials | undefined): boolean {
  if (credentials === undefined) return true;
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return false;
  // Digests have one length, whatever was sent; timingSafeEqual needs that.
  const sent = digest(Buffer.from(encoded, 'base64'));
  return timingSafeEqual(sent, digest(Buffer.from(`${credentials.user}:${credentials.password}`)));
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
