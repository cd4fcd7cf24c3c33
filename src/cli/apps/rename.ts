import type { Command } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';
import { redirectGitRemotes } from './git-remote.ts';

interface AppView {
  readonly name: string;
  readonly web_url: string;
  readonly git_url: string;
}

/** `tailrace apps:rename NAME` */
export function renameCommand(program: Command): void {
  addClientOptions(
    program
      .command('apps:rename <name>')
      .alias('rename')
      .description('give an app another name; its lines, drains, add-ons, releases and tails stay'),
  ).action(async (name: string, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveEndpoint(options);
    const before = await client.request<AppView>('GET', path);
    const app = await client.request<AppView>('PATCH', path, { name });
    const remotes = redirectGitRemotes(before.git_url, app.git_url);
    printResult(options.json, app, () =>
      [
        `Renaming ${before.name} to ${app.name}... done`,
        `${app.web_url} | ${app.git_url}`,
        ...remotes.map((remote) => `Git remote ${remote} updated`),
      ].join('\n'),
    );
  });
}
