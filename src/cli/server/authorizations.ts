import { type Command, InvalidArgumentError } from 'commander';
import { ApiClient } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

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
    .option('-e, --expires-in <time>', '90s, 30m, 12h, 7d (default: never)', parseSeconds)
    .option('--json', 'print JSON')
    .action(
      async (options: { description?: string; scope?: string[]; expiresIn?: number; json?: boolean }) => {
        const { description, scope, expiresIn } = options;
        const wanted = { description, scope, expires_in: expiresIn };
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
      process.stdout.write(`Revoking ${key.description}... done\n`);
    });
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function parseSeconds(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('It must be a time, such as 90s, 30m, 12h or 7d.');
  return Number(digits) * UNIT_SECONDS[unit || 's'];
}
