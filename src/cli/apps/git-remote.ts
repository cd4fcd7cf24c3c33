/** What ties a git repository to an app: the remote `tailrace`, and how git gets the key for it. */
import { execFileSync, spawnSync } from 'node:child_process';
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

/** Adds the remote to the repository of this folder; false when this is none. @throws TailraceError `invalid_params`, `conflict` */
export function addGitRemote(gitUrl: string, remote = GIT_REMOTE): boolean {
  if (!isInRepository()) return false;
  requireRemoteName(remote);
  const isThere = runGit(['remote', 'get-url', '--', remote]);
  const [name, helper] = credentialHelper(gitUrl);
  changeRepository(['remote', isThere ? 'set-url' : 'add', '--', remote, gitUrl]);
  changeRepository(['config', name, helper]);
  return true;
}

/** To be asked before anything is made that the remote would lead to. @throws TailraceError `invalid_params`, in a repository of git */
export function requireRemoteName(remote: string): void {
  // As git itself judges it: by the branches that the remote would have.
  if (isInRepository() && !runGit(['check-ref-format', `refs/remotes/${remote}/main`]))
    throw new TailraceError(
      'invalid_params',
      `"${remote}" can't be the name of a git remote: choose another one, such as staging.`,
    );
}

/** @throws TailraceError `conflict` with what git said */
function changeRepository(args: readonly string[]): void {
  const { status, stderr } = spawnSync('git', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status === 0) return;
  const reason = stderr
    .toString()
    .trim()
    .split('\n')[0]
    .replace(/^(?:error|fatal): /, '');
  throw new TailraceError('conflict', `Git can't change this folder's repository (${reason}).`);
}

function isInRepository(): boolean {
  return runGit(['rev-parse', '--git-dir']);
}

/** The key stays where it is: git asks this command for it, for this server only. What git offers it to keep needs no start of it. */
function credentialHelper(gitUrl: string): [name: string, value: string] {
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(realpathSync(process.argv[1]))}`;
  return [
    `credential.${new URL(gitUrl).origin}.helper`,
    `!f() { test "$1" != get || ${command} git:credentials get; }; f`,
  ];
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

/** `tailrace git:remote`, `git:clone`, and `git:credentials`, which git runs. */
export function gitCommands(program: Command): void {
  program
    .command('git:remote')
    .description('add the git remote of an app to this repository')
    .option('-a, --app <name>', 'the app')
    .option('-r, --remote <name>', 'what to call the remote', GIT_REMOTE)
    .action(async (options: { app?: string; remote: string }) => {
      const client = new ApiClient();
      const app = await resolveApp(client, options.app);
      const { git_url: url } = await client.request<{ git_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      if (!addGitRemote(url, options.remote))
        throw new TailraceError(
          'not_found',
          'This folder is no git repository: make it one with `git init`.',
        );
      process.stdout.write(`set git remote ${options.remote} to ${url}\n`);
    });
  program
    .command('git:clone [folder]')
    .description("clone an app's code, as it was pushed last, into a folder (default: the app's name)")
    .requiredOption('-a, --app <name>', 'the app')
    .option('-r, --remote <name>', 'what to call the remote', GIT_REMOTE)
    .action(async (folder: string | undefined, { app, remote }: { app: string; remote: string }) => {
      const { git_url: url } = await new ApiClient().request<{ git_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      const config = credentialHelper(url).join('=');
      const args = ['clone', '--origin', remote, '--config', config, '--', url, folder ?? app];
      const { status } = spawnSync('git', args, { stdio: 'inherit' });
      process.exitCode = status ?? 1;
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
