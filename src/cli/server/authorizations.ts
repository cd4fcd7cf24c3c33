import type { Command } from 'commander';
import { DURATION_FORMS } from '../../common/time-expression.ts';
import { ApiClient } from '../api-client.ts';
import { formatTable, printResult, printText } from '../format.ts';
import { parseDurationOption } from '../time-options.ts';

interface AuthorizationView {
  readonly id: string;
  readonly description: string;
  readonly scope: readonly string[];
  readonly access_token: { readonly token: string; readonly expires_in: number | null };
}

/** `tailrace authorizations`, `authorizations:create`, `authorizations:revoke ID`: API keys. */
export function authorizationCommands(program: Command): void {
  program
    .command('authorizations')
    .description('list the API keys')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const keys = await new ApiClient().request<AuthorizationView[]>('GET', '/oauth/authorizations');
      printResult(options.json, keys, () =>
        formatTable(
          keys.map(({ id, description, scope, access_token: { expires_in: left } }) => [
            id,
            scope.join(','),
            left === null ? 'for ever' : `${left} s left`,
            description,
          ]),
        ),
      );
    });
  program
    .command('authorizations:create')
    .description('make an API key; prints the key and nothing else')
    .option('-d, --description <text>', 'what it is for')
    .option('-s, --scope <list>', 'read, write, ingest (default: all)', (text) => text.split(','))
    .option('-e, --expires-in <time>', `${DURATION_FORMS} (default: never)`, parseDurationOption)
    .option('--json', 'print JSON')
    .action(
      async (options: { description?: string; scope?: string[]; expiresIn?: number; json?: boolean }) => {
        const { description, scope, expiresIn } = options;
        const wanted = {
          description,
          scope,
          expires_in: expiresIn === undefined ? undefined : Math.ceil(expiresIn / 1_000),
        };
        const key = await new ApiClient().request<AuthorizationView>('POST', '/oauth/authorizations', wanted);
        printResult(options.json, key, () => key.access_token.token);
      },
    );
  program
    .command('authorizations:revoke <id>')
    .description('make an API key useless')
    .action(async (id: string) => {
      const key = await new ApiClient().request<AuthorizationView>(
        'DELETE',
        `/oauth/authorizations/${encodeURIComponent(id)}`,
      );
      printText(`Revoking ${key.description}... done`);
    });
}
