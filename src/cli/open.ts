import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { Client, chooseApp } from './client.ts';

/** `tailrace open`: the app in a browser. */
export function openCommand(program: Command): void {
  program
    .command('open')
    .alias('apps:open')
    .description('open the app in a browser')
    .option('-a, --app <name>', "the app (default: the git remote's, else this folder's)")
    .action(async (options: { app?: string }) => {
      const client = new Client();
      const app = await chooseApp(client, options.app);
      const { web_url: url } = await client.ask<{ web_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      process.stdout.write(`${url}\n`);
      const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
      // Where there is no browser, the address was printed.
      spawn(opener, [url], { stdio: 'ignore', detached: true })
        .on('error', () => {})
        .unref();
    });
}
