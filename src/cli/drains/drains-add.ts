import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';
import { addDrainFlags, type DrainFlags, drainOptionsFromFlags, readDrainUrl } from './drain-flags.ts';

interface Flags extends DrainFlags {
  app?: string;
  json?: boolean;
  addon?: string;
}

/** `tailrace drains:add URL` */
export function drainsAddCommand(program: Command): void {
  const command = addDrainFlags(
    program
      .command('drains:add <url>')
      .description(
        'send every line from now on to https://…, http://…, syslog+tls://host:port or syslog://host:port; - reads the URL from standard input',
      ),
  ).option('--addon <name>', 'it belongs to this add-on of the app, and goes away with it');
  addClientOptions(command).action(async (url: string, flags: Flags) => {
    const options = drainOptionsFromFlags(flags);
    const { client, path } = await resolveEndpoint(flags, '/log-drains');
    const drain = await client.request<DrainView>('POST', path, {
      url: await readDrainUrl(url),
      options,
      addon: flags.addon,
    });
    printResult(flags.json, drain, () => `Successfully added drain ${drain.url} (${drain.token})`);
  });
}
