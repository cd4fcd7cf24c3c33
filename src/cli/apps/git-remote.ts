/** What ties a git repository to an app: the remote `tailrace`, and how git gets the key for it. */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  ApiClient,
  appNameFromGitRemote,
  findServer,
  findServerAt,
  GIT_REMOTE,
  resolveApp,
} from '../api-client.ts';

/** Adds the remote to the repository of this folder; false when this is none. */
export function addGitRemote(gitUrl: string): boolean {
  if (!runGit(['rev-parse', '--git-dir'])) return false;
  if (runGit(['remote', 'get-url', GIT_REMOTE])) runGit(['remote', 'set-url', GIT_REMOTE, gitUrl]);
  else runGit(['remote', 'add', GIT_REMOTE, gitUrl]);
  // The key stays where it is: git asks this command for it, for this server only. What git offers it to keep needs no start of it.
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(realpathSync(process.argv[1]))}`;
  const helper = `!f() { test "$1" != get || ${command} git:credentials get; }; f`;
  runGit(['config', `credential.${new URL(gitUrl).origin}.helper`, helper]);
  return true;
}

/** Removes the remote when it points to this app; false when it doesn't. */
export function removeGitRemote(app: string): boolean {
  return appNameFromGitRemote() === app && runGit(['remote', 'remove', GIT_REMOTE]);
}

/** Lets the remotes of this folder's repository that lead to one URL lead to another. @returns their names */
export function redirectGitRemotes(from: string, to: string): string[] {
  return remoteNames().filter(
    (name) => readRemoteUrl(name) === from && runGit(['remote', 'set-url', name, to]),
  );
}

/** `tailrace git:remote`, and `git:credentials`, which git runs. */
export function gitCommands(program: Command): void {
  program
    .command('git:remote')
    .description('add the git remote of an app to this repository')
    .option('-a, --app <name>', 'the app')
    .action(async (options: { app?: string }) => {
      const client = new ApiClient();
      const app = await resolveApp(client, options.app);
      const { git_url: url } = await client.request<{ git_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      if (!addGitRemote(url))
        throw new TailraceError(
          'not_found',
          'This folder is no git repository: make it one with `git init`.',
        );
      process.stdout.write(`set git remote ${GIT_REMOTE} to ${url}\n`);
    });
  program.command('git:credentials [operation]', { hidden: true }).action(async (operation?: string) => {
    if (operation !== 'get') return;
    const { key } = findServerAt(await askedOrigin()) ?? findServer();
    process.stdout.write(`username=key\npassword=${key}\n`);
  });
}

/** Which server git wants the key of, as `git help credentials` has it; '' when it doesn't say. */
async function askedOrigin(): Promise<string> {
  if (process.stdin.isTTY) return '';
  const asked = new URLSearchParams((await text(process.stdin)).replaceAll('\n', '&'));
  const origin = `${asked.get('protocol')}://${asked.get('host')}`;
  return URL.canParse(origin) ? new URL(origin).origin : '';
}

function remoteNames(): string[] {
  return readGit(['remote'])
    .split('\n')
    .filter((name) => name !== '');
}

function readRemoteUrl(name: string): string {
  return readGit(['remote', 'get-url', name]).trim();
}

/** What git prints; '' when it fails: this folder may be no repository. */
function readGit(args: readonly string[]): string {
  try {
    return execFileSync('git', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    return '';
  }
}

function runGit(args: readonly string[]): boolean {
  try {
    execFileSync('git', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
