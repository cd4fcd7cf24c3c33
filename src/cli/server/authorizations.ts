import { type Command, Option } from 'commander';
import { KEY_SCOPES } from '../../apps/access/key-scopes.ts';
import { TailraceError } from '../../common/errors.ts';
import { DURATION_FORMS } from '../../common/time-expression.ts';
import { ApiClient } from '../api-client.ts';
import { formatElapsed, formatTable, printResult, printText } from '../format.ts';
import { parseDurationOption } from '../time-options.ts';

export interface AuthorizationView {
  readonly id: string;
  readonly description: string;
  readonly scope: readonly string[];
  /** The key of the request. */
  readonly current?: boolean;
  /** Names of the apps that it is for; null: all. */
  readonly apps?: readonly string[] | null;
  readonly last_used_at?: string | null;
  readonly access_token: { readonly token: string; readonly expires_in: number | null };
}

/** `tailrace authorizations`, `authorizations:create`, `authorizations:revoke ID`: API keys. */
export function authorizationCommands(program: Command): void {
  program
    .command('authorizations')
    .description('list the API keys')
    .option('-j, --json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const keys = await new ApiClient().request<AuthorizationView[]>('GET', '/oauth/authorizations');
      printResult(options.json, keys, () => formatTable(keys.map(authorizationRow)));
    });
  program
    .command('authorizations:info <id>')
    .description('show an API key: what it may do, until when; the key itself is shown once, when it is made')
    .option('-j, --json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const path = `/oauth/authorizations/${encodeURIComponent(id)}`;
      const key = await new ApiClient().request<AuthorizationView>('GET', path);
      printResult(options.json, key, () => formatTable([authorizationRow(key)]));
    });
  program
    .command('authorizations:create')
    .description('make an API key; prints the key and nothing else')
    .option('-d, --description <text>', 'what it is for')
    .option('-s, --scope <list>', `${KEY_SCOPES.join(', ')} (default: those of the key you use)`, (text) =>
      text.split(','),
    )
    .option('-a, --app <names>', 'for these apps alone, separated by commas (default: all)', (text) =>
      text.split(','),
    )
    .option('-e, --expires-in <time>', `${DURATION_FORMS} (default: never)`, parseDurationOption)
    .option('-j, --json', 'print JSON')
    .addOption(new Option('-S, --short', 'the key alone, as always').hideHelp())
    .action(
      async (options: {
        description?: string;
        scope?: string[];
        app?: string[];
        expiresIn?: number;
        json?: boolean;
      }) => {
        const { description, scope, app: apps, expiresIn } = options;
        const wanted = {
          description,
          scope,
          apps,
          expires_in: expiresIn === undefined ? undefined : Math.ceil(expiresIn / 1_000),
        };
        const key = await new ApiClient().request<AuthorizationView>('POST', '/oauth/authorizations', wanted);
        printResult(options.json, key, () => key.access_token.token);
      },
    );
  program
    .command('authorizations:update <id>')
    .description('say anew what an API key is for; what it may do stays as it was made')
    .requiredOption('-d, --description <text>', 'what it is for')
    .option('-j, --json', 'print JSON')
    .action(async (id: string, { description, json }: { description: string; json?: boolean }) => {
      const path = `/oauth/authorizations/${encodeURIComponent(id)}`;
      const key = await new ApiClient().request<AuthorizationView>('PATCH', path, { description });
      printResult(json, key, () => `Updating ${key.id}... done, ${key.description}`);
    });
  program
    .command('authorizations:rotate <id>')
    .description('replace an API key by a new one; prints it and nothing else')
    .option('-j, --json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const path = `/oauth/authorizations/${encodeURIComponent(id)}/actions/regenerate-tokens`;
      const key = await new ApiClient().request<AuthorizationView>('POST', path, {});
      printResult(options.json, key, () => key.access_token.token);
    });
  program
    .command('authorizations:revoke <id>')
    .alias('authorizations:destroy')
    .description('make an API key useless')
    .option('--confirm <id>', 'do so though it is the key that you use now')
    .action(async (id: string, options: { confirm?: string }) => {
      const client = new ApiClient();
      const path = `/oauth/authorizations/${encodeURIComponent(id)}`;
      const { current } = await client.request<AuthorizationView>('GET', path);
      if (current) await confirmOwnKey(id, options.confirm);
      const key = await client.request<AuthorizationView>('DELETE', path);
      printText(`Revoking ${key.description}... done`);
    });
}

function authorizationRow(key: AuthorizationView): string[] {
  const { id, description, scope, apps, last_used_at: usedAt, access_token: token } = key;
  return [
    id,
    scope.join(','),
    apps ? apps.join(',') || 'no app' : 'all apps',
    token.expires_in === null ? 'forever' : `${formatElapsed(token.expires_in * 1_000)} left`,
    usedAt ? `used ${formatElapsed(Date.now() - Date.parse(usedAt))} ago` : 'never used',
    description,
  ];
}

/** @throws TailraceError unless its id was typed once more. */
async function confirmOwnKey(id: string, confirmed: string | undefined): Promise<void> {
  if (confirmed === id) return;
  const warning = `This is the key that you use now: without it you are locked out (\`tailrace auth:token --rotate\` replaces it instead).`;
  if (confirmed === undefined && process.stdin.isTTY) {
    const { createInterface } = await import('node:readline/promises');
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await prompt.question(`${warning}\nTo go on, type ${id}: `).finally(() => prompt.close());
    if (answer.trim() === id) return;
    throw new TailraceError('invalid_params', 'That is another id: nothing was revoked.');
  }
  throw new TailraceError('invalid_params', `${warning} To go on, add --confirm ${id}.`);
}
