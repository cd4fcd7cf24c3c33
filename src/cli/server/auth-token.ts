import type { Command } from 'commander';
import { ApiClient, findServer } from '../api-client.ts';
import type { AuthorizationView } from './authorizations.ts';

/** `tailrace auth:token`: an API key on stdout and nothing else, for scripts; with `--rotate` another one in its place. */
export function authTokenCommand(program: Command): void {
  program
    .command('auth:token')
    .description('print an API key')
    .option('--rotate', 'replace it by a new one first; the old one is useless from then on')
    .action(async ({ rotate }: { rotate?: boolean }) => {
      process.stdout.write(`${rotate ? await rotateKey() : findServer().key}\n`);
    });
}

async function rotateKey(): Promise<string> {
  const client = new ApiClient();
  const keys = await client.request<AuthorizationView[]>('GET', '/oauth/authorizations');
  const id = keys.find(({ current }) => current)?.id ?? '';
  const path = `/oauth/authorizations/${encodeURIComponent(id)}/actions/regenerate-tokens`;
  const { access_token: replaced } = await client.request<AuthorizationView>('POST', path, {});
  if (process.env.TAILRACE_API_KEY)
    process.stderr.write('The key in TAILRACE_API_KEY is useless now: set it to the new one.\n');
  return replaced.token;
}
