/** Passwords are stored as what scrypt (RFC 7914) makes of them. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';

export interface PasswordHash {
  readonly scheme: 'scrypt';
  /** Cost, block size, parallelization. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly hash: string;
}

/** As OWASP's Password Storage Cheat Sheet has it for 32 MB. */
const COST = { n: 32_768, r: 8, p: 3 };
const HASH_BYTES = 32;
const LENGTH_MIN = 8;
const LENGTH_MAX = 500;
/** Each takes 32 MB and a fifth of a second of a thread: one is made after the other, and no more than these wait. */
const WAITING_MAX = 50;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** @throws TailraceError `invalid_params` for a password that is too short or too long, `unavailable` */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const length = [...password].length;
  if (length < LENGTH_MIN || length > LENGTH_MAX)
    throw new TailraceError(
      'invalid_params',
      `A password must have ${LENGTH_MIN} to ${LENGTH_MAX} characters.`,
    );
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  return { scheme: 'scrypt', ...COST, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

/** For an address that nobody has it takes as long as for one that somebody has. @throws TailraceError `unavailable` */
export async function isPassword(password: string, stored: PasswordHash | undefined): Promise<boolean> {
  const { n, r, p } = stored ?? COST;
  const salt = stored ? Buffer.from(stored.salt, 'base64') : Buffer.alloc(16);
  const given = await derive(password.slice(0, 2 * LENGTH_MAX), salt, { n, r, p });
  const wanted = stored ? Buffer.from(stored.hash, 'base64') : Buffer.alloc(HASH_BYTES);
  return given.length === wanted.length && timingSafeEqual(given, wanted) && stored !== undefined;
}

async function derive(password: string, salt: Buffer, { n, r, p }: typeof COST): Promise<Buffer> {
  if (waiting >= WAITING_MAX)
    throw new TailraceError('unavailable', 'Too many are signing in at once: try again in a moment.');
  waiting++;
  const derived = last.then(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        const options = { N: n, r, p, maxmem: 256 * n * r };
        scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, key) =>
          error ? reject(error) : resolve(key),
        );
      }),
  );
  last = derived.catch(() => undefined);
  try {
    return await derived;
  } finally {
    waiting--;
  }
}
