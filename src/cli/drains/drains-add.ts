import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print } from '../table.ts';
import { type DrainFlags, drainFlags, optionsOf } from './drain-flags.ts';

interface Flags extends DrainFlags {
  app?: string;
  json?: boolean;
  addon?: string;
}

/** `tailrace drains:add URL` */
export function drainsAddCommand(program: Command): void {
  const command = drainFlags(
    program
      .command('drains:add <url>')
      .description(
        'send every line from now on to https://…, http://…, syslog+tls://host:port or syslog://host:port',
      ),
  ).option('--addon <name>', 'it belongs to this add-on of the app, and goes away with it');
  clientOptions(command).action(async (url: string, flags: Flags) => {
    const options = optionsOf(flags);
    const client = new Client();
    const app = await chooseApp(client, flags.app);
    const path = `/apps/${encodeURIComponent(app)}/log-drains`;
    const drain = await client.ask<DrainView>('POST', path, { url, options, addon: flags.addon });
    print(flags.json, drain, () => `Successfully added drain ${drain.url} (${drain.token})`);
  });
}
