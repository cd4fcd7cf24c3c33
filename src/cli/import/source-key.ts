/** The key with which another platform is read: from a file, the environment, or where its own command keeps it. */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { readFileArgument } from '../file-argument.ts';

/**
 * The key for a host: of `--key-file` (`-` is standard input), else `HEROKU_API_KEY`, else what `~/.netrc` has for the host, where
 * `heroku login` writes it. It is no option, since those are in the list of processes.
 *
 * @throws TailraceError `unauthorized` when there is none, with the ways to give one
 */
export async function findSourceKey(host: string, keyFile: string | undefined): Promise<string> {
  const key = (await givenKey(host, keyFile)) ?? passwordInNetrc(await readNetrc(), host) ?? '';
  // It becomes a header: what can't be in one is no key.
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  if (key !== '')
    throw new TailraceError(
      'unauthorized',
      'What was given as the key has spaces or other characters in it that no key has.',
    );
  throw new TailraceError(
    'unauthorized',
    `There is no key for ${host}: set HEROKU_API_KEY (\`heroku auth:token\` prints one; with HEROKU_HOST it counts for that host alone), name a file that holds it with --key-file, or log in with \`heroku login\`, which writes it to ~/.netrc.`,
  );
}

async function givenKey(host: string, keyFile: string | undefined): Promise<string | undefined> {
  if (keyFile !== undefined) {
    const key = (await readFileArgument(keyFile, 'a file that holds the key')).toString().trim();
    if (key === '') throw new TailraceError('unauthorized', `There is no key in ${keyFile}: it is empty.`);
    return key;
  }
  const { HEROKU_API_KEY: key, HEROKU_HOST: keyHost } = process.env;
  // Whose `heroku` speaks to another server has that one's key there: nobody else is to see it.
  return isKeyFor(host, keyHost) ? key?.trim() || undefined : undefined;
}

async function readNetrc(): Promise<string> {
  const file = process.env.NETRC ?? join(homedir(), '.netrc');
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw new TailraceError(
      'unauthorized',
      `${file} can't be read (${systemCode(error)}): set HEROKU_API_KEY, or name a file with --key-file.`,
    );
  }
}

/**
 * Is `HEROKU_API_KEY` for this host?
 * @param herokuHost `HEROKU_HOST`, as the official command takes it: an address, or a domain that has an `api.`; left out: heroku.com
 */
export function isKeyFor(host: string, herokuHost: string | undefined): boolean {
  if (!herokuHost) return true;
  if (/^https?:\/\//.test(herokuHost))
    return URL.canParse(herokuHost) && new URL(herokuHost).hostname === host;
  return `api.${herokuHost}` === host;
}

/** The password of a machine in the text of a `.netrc` (the form of ftp(1): words, with `macdef` up to an empty line). */
export function passwordInNetrc(text: string, machine: string): string | undefined {
  const withoutMacros = text.replace(/^macdef[^\n]*\n(?:[^\n]+\n)*/gm, '').replace(/^[ \t]*#.*$/gm, '');
  const words = withoutMacros.match(/"[^"]*"|\S+/g)?.map((word) => word.replace(/^"|"$/g, '')) ?? [];
  let isWanted = false;
  for (let i = 0; i < words.length; i++) {
    if (words[i] === 'machine') isWanted = words[++i] === machine;
    else if (words[i] === 'default') isWanted = false;
    else if (words[i] === 'password') {
      const password = words[++i];
      if (isWanted) return password;
    } else i++;
  }
  return undefined;
}
