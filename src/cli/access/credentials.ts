/** Keys of servers that somebody has logged in to: `~/.config/tailrace/credentials.json`, readable only by its owner. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { replaceFileNow } from '../../common/files/replace-file.ts';

export interface SavedLogin {
  readonly url: string;
  readonly key: string;
  /** Names the key, to revoke it. */
  readonly id: string;
  readonly email: string;
}

/** The last login first. */
export function loadLogins(): SavedLogin[] {
  const file = credentialsFile();
  try {
    const { logins }: { logins: SavedLogin[] } = JSON.parse(readFileSync(file, 'utf8'));
    return logins.filter(({ url, key }) => typeof url === 'string' && typeof key === 'string');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new TailraceError(
      'invalid_params',
      `${file} can't be read: remove it, and log in again (${error instanceof Error ? error.message : error}).`,
    );
  }
}

/** Keeps a login, in the place of an earlier one at the same server. */
export function saveLogin(login: SavedLogin): void {
  writeLogins([login, ...loadLogins().filter(({ url }) => url !== login.url)]);
}

/** Removes the key from the file, and the file with its last key; at the server the key stays good. @throws TailraceError as {@link loadLogins} */
export function forgetLogin({ url }: Pick<SavedLogin, 'url'>): void {
  writeLogins(loadLogins().filter((one) => one.url !== url));
}

function writeLogins(logins: readonly SavedLogin[]): void {
  const file = credentialsFile();
  if (logins.length === 0) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceFileNow(file, `${JSON.stringify({ logins }, undefined, 2)}\n`);
}

function credentialsFile(): string {
  const base = process.env.XDG_CONFIG_HOME || join(homedir(), '.config');
  return join(base, 'tailrace', 'credentials.json');
}
