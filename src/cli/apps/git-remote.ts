/** What ties a git repository to an app: the remote `tailrace`, and how git gets the key for it. */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { Client, chooseApp, findServer, REMOTE, remoteApp } from '../client.ts';

/** Adds the remote to the repository of this folder; false when this is none. */
export function addRemote(gitUrl: string): boolean {
  if (!git(['rev-parse', '--git-dir'])) return false;
  if (git(['remote', 'get-url', REMOTE])) git(['remote', 'set-url', REMOTE, gitUrl]);
  else git(['remote', 'add', REMOTE, gitUrl]);
  // The key stays where it is: git asks this command for it, for this server only.
  const helper = `!${JSON.stringify(process.execPath)} ${JSON.stringify(realpathSync(process.argv[1]))} git:credentials`;
  git(['config', `credential.${new URL(gitUrl).origin}.helper`, helper]);
  return true;
}

/** Takes the remote away when it leads to this app; false when it doesn't. */
export function removeRemote(app: string): boolean {
  return remoteApp() === app && git(['remote', 'remove', REMOTE]);
}

/** `tailrace git:remote`, and `git:credentials`, which git runs. */
export function gitCommands(program: Command): void {
  program
    .command('git:remote')
    .description('add the git remote of an app to this repository')
    .option('-a, --app <name>', 'the app')
    .action(async (options: { app?: string }) => {
      const client = new Client();
      const app = await chooseApp(client, options.app);
      const { git_url: url } = await client.ask<{ git_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      if (!addRemote(url))
        throw new TailraceError(
          'not_found',
          'This folder is no git repository: make it one with `git init`.',
        );
      process.stdout.write(`set git remote ${REMOTE} to ${url}\n`);
    });
  program.command('git:credentials [operation]', { hidden: true }).action((operation?: string) => {
    if (operation === 'get') process.stdout.write(`username=key\npassword=${findServer().key}\n`);
  });
}

function git(args: readonly string[]): boolean {
  try {
    execFileSync('git', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
