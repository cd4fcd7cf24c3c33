import { isSameSecret } from '../../../src/common/secret-comparison.ts';

export interface Credentials {
  user: string;
  password: string;
}

/** Is that the `Authorization` of these credentials: Basic (RFC 7617)? Without credentials everybody is let in. */
export function isAuthorized(header: string | undefined, credentials: Credentials | undefined): boolean {
  if (credentials === undefined) return true;
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return false;
  return isSameSecret(
    Buffer.from(encoded, 'base64').toString(),
    `${credentials.user}:${credentials.password}`,
  );
}
