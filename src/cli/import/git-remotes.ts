/** Lets `git push heroku` of this folder's repository lead here. */
import { execFileSync } from 'node:child_process';
import { addGitRemote } from '../apps/git-remote.ts';

const REMOTE = 'heroku';
const OLD_REMOTE = 'heroku-old';

/**
 * The remote that leads to the app there becomes `heroku-old`, and one of its old name leads here, as `tailrace` does.
 * @param from git address of the app there
 * @param to git address of the app here
 * @returns what was done, in lines
 */
export function switchGitRemotes(from: string, to: string): readonly string[] {
  if (!addGitRemote(to))
    return ['This folder is no git repository: run `tailrace git:remote` in the one of the app.'];
  const said = [`Git remote tailrace leads to ${to}`];
  const names = git('remote').split('\n');
  const url = names.includes(REMOTE) ? git('remote', 'get-url', REMOTE).trim() : undefined;
  if (url === to) return [...said, `Git remote ${REMOTE} leads there too`];
  if (url !== undefined && !isSame(url, from))
    return [...said, `Git remote ${REMOTE} leads to another app (${url}), and was left alone`];
  if (url !== undefined) {
    if (names.includes(OLD_REMOTE))
      return [...said, `Git remote ${REMOTE} was left alone: there is a ${OLD_REMOTE} already`];
    git('remote', 'rename', REMOTE, OLD_REMOTE);
    said.push(`Git remote ${REMOTE} is ${OLD_REMOTE} now`);
  }
  git('remote', 'add', REMOTE, to);
  return [...said, `Git remote ${REMOTE} leads to ${to}`];
}

/** The same repository, over https or ssh: `https://git.heroku.com/shop.git`, `git@heroku.com:shop.git`. */
function isSame(a: string, b: string): boolean {
  const plain = (url: string): string =>
    url
      .replace(/^(?:ssh:\/\/)?git@([^:/]+)[:/]/, 'https://$1/')
      .replace(/^https:\/\/(?:[^@/]*@)?(?:git\.)?heroku\.com\//, 'https://git.heroku.com/')
      .replace(/\.git$/, '');
  return plain(a) === plain(b);
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
}
