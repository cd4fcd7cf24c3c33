import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print, table } from '../table.ts';

interface TokenView {
  readonly token: string;
  readonly source: string;
}

/** `tailrace tokens`, `tokens:add --source NAME`, `tokens:remove TOKEN` */
export function tokensCommands(program: Command): void {
  const path = (app: string): string => `/apps/${encodeURIComponent(app)}/tokens`;
  clientOptions(program.command('tokens').description("list the tokens of an app's sources")).action(
    async (options: { app?: string; json?: boolean }) => {
      const client = new Client();
      const tokens = await client.ask<TokenView[]>('GET', path(await chooseApp(client, options.app)));
      print(options.json, tokens, () => table(tokens.map(({ source, token }) => [source, token])));
    },
  );
  clientOptions(
    program
      .command('tokens:add')
      .description('make a token for a source; prints the token and nothing else')
      .requiredOption('-s, --source <name>', 'the name that its lines will carry: postgres, nginx, …'),
  ).action(async (options: { app?: string; json?: boolean; source: string }) => {
    const client = new Client();
    const app = await chooseApp(client, options.app);
    const made = await client.ask<TokenView>('POST', path(app), { source: options.source });
    print(options.json, made, () => made.token);
  });
  clientOptions(program.command('tokens:remove <token>').description('make a token worthless')).action(
    async (token: string, options: { app?: string; json?: boolean }) => {
      const client = new Client();
      const app = await chooseApp(client, options.app);
      const gone = await client.ask<TokenView>('DELETE', `${path(app)}/${encodeURIComponent(token)}`);
      print(options.json, gone, () => `Removed the token of source ${gone.source} from ${app}`);
    },
  );
}
