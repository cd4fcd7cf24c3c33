import type { Command } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface TokenView {
  readonly token: string;
  readonly source: string;
}

/** `tailrace tokens`, `tokens:add --source NAME`, `tokens:remove TOKEN` */
export function tokensCommands(program: Command): void {
  addClientOptions(program.command('tokens').description("list the tokens of an app's sources")).action(
    async (options: { app?: string; json?: boolean }) => {
      const { client, path } = await resolveEndpoint(options, '/tokens');
      const tokens = await client.request<TokenView[]>('GET', path);
      printResult(options.json, tokens, () =>
        formatTable(tokens.map(({ source, token }) => [source, token])),
      );
    },
  );
  addClientOptions(
    program
      .command('tokens:add')
      .description('make a token for a source; prints the token and nothing else')
      .requiredOption('-s, --source <name>', 'the name that its lines will carry: postgres, nginx, …'),
  ).action(async (options: { app?: string; json?: boolean; source: string }) => {
    const { client, path } = await resolveEndpoint(options, '/tokens');
    const made = await client.request<TokenView>('POST', path, { source: options.source });
    printResult(options.json, made, () => made.token);
  });
  addClientOptions(program.command('tokens:remove <token>').description('make a token worthless')).action(
    async (token: string, options: { app?: string; json?: boolean }) => {
      const { app, client, path } = await resolveEndpoint(options, '/tokens');
      const gone = await client.request<TokenView>('DELETE', `${path}/${encodeURIComponent(token)}`);
      printResult(options.json, gone, () => `Removed the token of source ${gone.source} from ${app}`);
    },
  );
}
