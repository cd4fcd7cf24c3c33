/**
 * Who runs PostgreSQL: it refuses to be root. Where this server is root, it becomes another user, who owns the data and nothing else. The
 * folders above stay closed to that user (they hold keys, and may lie in somebody's home): the folder is entered first, then the user
 * changes, then the data are opened by their name in that folder, and known to PostgreSQL as what is open. See docs/decisions/0047.
 */

import { execFile } from 'node:child_process';
import { chmod, chown, lchown, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TailraceError } from '../../../../../common/errors.ts';
import { errorMessage } from '../../../../../common/text/error-message.ts';
import type { ProcessUser } from '../../../../processes/dyno-process.ts';

export interface PostgresAccount extends ProcessUser {
  readonly name: string;
}

/** Debian's package makes the first; every system has the second. PostgreSQL needs one that has a name. */
const ACCOUNTS = ['postgres', 'nobody'];

/**
 * The user that PostgreSQL runs as; undefined: the one that runs this server, which isn't root.
 * @throws TailraceError when this system has no such user
 */
export async function postgresAccount(): Promise<PostgresAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ACCOUNTS) {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)]);
    if (uid !== undefined && gid !== undefined && uid > 0) return { name, uid, gid };
  }
  throw new TailraceError(
    'unavailable',
    `PostgreSQL refuses to run as root, and there is no other user for it: make one (useradd --system postgres), or run the server as a user of its own.`,
  );
}

/**
 * Gives an add-on's data to who runs PostgreSQL, and makes the folder for them if there is none. Its own folder stays this server's; the
 * other user's group may pass through it.
 * @throws TailraceError when this server may not do that
 */
export async function chownData(folder: string, account: PostgresAccount | undefined): Promise<void> {
  const data = join(folder, 'data');
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (!account) return;
  try {
    await chown(folder, 0, account.gid);
    await chmod(folder, 0o710);
    const { uid, gid } = await lstat(data);
    // The folder is the last one to be given: when it is, all that is in it has been.
    if (uid !== account.uid || gid !== account.gid) await giveTree(data, account);
  } catch (error) {
    throw switchUserError(account, error);
  }
}

/** @param account undefined: nobody else @returns a word for PostgreSQL's `-D`, after {@link openDataScript} has run */
export function dataWord(account: PostgresAccount | undefined): string {
  return account ? '/proc/self/fd/9' : 'data';
}

/**
 * What a shell in the add-on's folder does before one of PostgreSQL's programs is run on the data. Programs up to version 15 go back to
 * the folder that they were started in, by its name, which the other user couldn't.
 */
export function openDataScript(account: PostgresAccount | undefined): string {
  return account ? 'exec 9<data; cd /; ' : '';
}

/** What a system says that lets this server become nobody else, as a sentence. */
export function switchUserError(account: PostgresAccount, cause: unknown): TailraceError {
  const reason = errorMessage(cause);
  return new TailraceError(
    'unavailable',
    `PostgreSQL refuses to run as root, and the server can't run it as ${account.name} (${reason}): let it change users (the capabilities SETUID, SETGID and CHOWN), or run it as a user other than root.`,
    { cause },
  );
}

async function giveTree(path: string, account: ProcessUser): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await giveTree(child, account);
    else await lchown(child, account.uid, account.gid);
  }
  await lchown(path, account.uid, account.gid);
}

async function idOf(option: '-u' | '-g', name: string): Promise<number | undefined> {
  const { stdout } = await promisify(execFile)('id', [option, name]).catch(() => ({ stdout: '' }));
  return /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
}
