import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface AddonView {
  readonly name: string;
  readonly plan: { readonly name: string };
  readonly config_vars: readonly string[];
  readonly provision_message: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace addons`, `addons:create redis`, `addons:destroy redis`, `addons:services` */
export function addonCommands(program: Command): void {
  addClientOptions(program.command('addons').description("list an app's add-ons")).action(
    async (options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/addons');
      const addons = await client.request<AddonView[]>('GET', path);
      printResult(options.json, addons, () =>
        addons.length === 0
          ? `No add-ons for app ${app}.`
          : formatTable(
              addons.map(({ name, plan, config_vars: vars }) => [plan.name, name, vars.join(', ')]),
            ),
      );
    },
  );
  addClientOptions(
    program
      .command('addons:create <service>')
      .alias('addons:add')
      .description('start an add-on on the server, such as redis, and give the app its address'),
  ).action(async (service: string, options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/addons');
    const addon = await client.request<AddonView>('POST', path, { plan: { name: service } });
    printResult(options.json, addon, () =>
      [
        `Creating ${service} on ${app}... done`,
        addon.provision_message,
        `Created ${addon.name} as ${addon.config_vars.join(', ')}`,
      ].join('\n'),
    );
  });
  addClientOptions(
    program
      .command('addons:destroy <addon>')
      .alias('addons:remove')
      .option('-c, --confirm <app>', 'the name of the app')
      .description('end an add-on, and remove what it holds'),
  ).action(async (which: string, options: Options & { confirm?: string }) => {
    const { app, client, path } = await resolveEndpoint(options, '/addons');
    if (options.confirm !== app)
      throw new TailraceError(
        'bad_request',
        `This removes what the add-on holds. If you mean it, add --confirm ${app}`,
      );
    const addon = await client.request<AddonView>('DELETE', `${path}/${encodeURIComponent(which)}`);
    printResult(options.json, addon, () => `Destroying ${addon.name} on ${app}... done`);
  });
  program
    .command('addons:services')
    .description('list what can be added')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const services = await new ApiClient().request<{ name: string; human_name: string }[]>(
        'GET',
        '/addon-services',
      );
      printResult(options.json, services, () =>
        services.length === 0
          ? 'None: no program for one is installed on the server (redis-server).'
          : formatTable(services.map(({ name, human_name: text }) => [name, text])),
      );
    });
}
