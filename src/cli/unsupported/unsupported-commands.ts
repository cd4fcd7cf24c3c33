import type { Command } from 'commander';
import { UNSUPPORTED } from '../../apps/host/unsupported-features.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

/** `tailrace certs`, `pipelines`: commands of Heroku's that say what to use here. */
export function unsupportedCommands(program: Command): void {
  addClientOptions(program.command('certs').description('says where TLS ends, and what to use')).action(
    async (options: { app?: string; json?: boolean }) => {
      const { app, client, path } = await resolveEndpoint(options, '/sni-endpoints');
      const all = await client.request<unknown[]>('GET', path);
      printResult(options.json, all, () => `${app} has no certificates. ${UNSUPPORTED.certs}`);
    },
  );
  program
    .command('pipelines [arguments...]')
    .description('says what to use: `promote --to`')
    .option('-j, --json', 'print JSON: an empty list')
    .action((_words: string[], options: { json?: boolean }) => {
      printResult(options.json, [], () => UNSUPPORTED.pipelines);
    });
}
