import type { Command } from 'commander';
import { APP_OPTION, ApiClient, remoteOption, resolveApp } from '../api-client.ts';
import { openInBrowser } from '../browser.ts';
import { webUiUrl } from '../web-ui-url.ts';

/** `tailrace open`: the app in a browser; with `--logs`, its lines. */
export function openCommand(program: Command): void {
  program
    .command('open [path]')
    .alias('apps:open')
    .description('open the app in a browser')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-l, --logs', "open the app's lines: the server's live page")
    .action(async (path: string | undefined, options: { app?: string; logs?: boolean }) => {
      const client = new ApiClient();
      const app = await resolveApp(client, options.app);
      const { web_url: webUrl } = await client.request<{ web_url: string }>(
        'GET',
        `/apps/${encodeURIComponent(app)}`,
      );
      const url = options.logs
        ? webUiUrl({ url: client.address.publicUrl ?? client.address.url, key: client.address.key }, app)
        : new URL(path ?? '', webUrl).href;
      openInBrowser(url);
    });
}
