import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  APP_OPTION,
  ApiClient,
  addClientOptions,
  noWrapOption,
  remoteOption,
  resolveEndpoint,
} from '../api-client.ts';
import { openInBrowser } from '../browser.ts';
import { formatTable, printResult } from '../format.ts';
import { type AddonView, type AttachmentView, findAddon } from './addon-client.ts';

interface Options {
  readonly app?: string;
  readonly json?: boolean;
}
interface ServiceView {
  readonly name: string;
  readonly description: string;
  readonly docs_url: string;
  readonly available: boolean;
}
interface PlanView {
  readonly name: string;
  readonly description: string;
  readonly default: boolean;
}

/** `tailrace addons`, `addons:info`, `addons:services`, `addons:plans`, `addons:docs`, `addons:open` */
export function addonCommands(program: Command): void {
  listCommand(program);
  infoCommand(program);
  servicesCommand(program);
  plansCommand(program);
  docsCommand(program);
  openCommand(program);
}

function listCommand(program: Command): void {
  addClientOptions(
    program.command('addons').description("list an app's add-ons, and where they are attached"),
  )
    .option('-A, --all', 'of all apps')
    .addOption(noWrapOption())
    .action(async (options: Options & { all?: boolean }) => {
      const all = options.all ?? false;
      const { app, client, path } = all
        ? { app: '', client: new ApiClient(), path: '/addons' }
        : await resolveEndpoint(options, '/addons');
      const addons = await client.request<AddonView[]>('GET', path);
      const attachments = await client.request<AttachmentView[]>('GET', '/addon-attachments');
      printResult(options.json, addons, () => {
        if (addons.length === 0) return all ? 'No add-ons.' : `No add-ons for app ${app}.`;
        return formatTable(addons.map((addon) => addonRow(addon, attachments, all ? undefined : app)));
      });
    });
}

function infoCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:info <addon>')
      .description('show what is known of an add-on, and what it is like now'),
  ).action(async (which: string, options: Options) => {
    const { client, addon } = await findAddon(options, which);
    const path = `/addons/${addon.id}`;
    const attachments = await client.request<AttachmentView[]>('GET', `${path}/addon-attachments`);
    const rows = await client
      .request<{ name: string; values: string[] }[]>('GET', `${path}/details`)
      .catch((error: unknown) => [
        { name: 'Trouble', values: [error instanceof Error ? error.message : ''] },
      ]);
    printResult(options.json, { ...addon, attachments, details: rows }, () =>
      [
        `=== ${addon.name}`,
        formatTable([
          ['Plan:', addon.plan.name],
          ['Attachments:', attachments.map((one) => `${one.app.name}::${one.name}`).join(', ')],
          ['Owning app:', addon.app.name],
          ['Config vars:', addon.config_vars.join(', ')],
          ['Installed at:', addon.created_at],
          ['State:', addon.state === 'provisioned' ? 'created' : addon.state],
          ...rows
            .filter(({ name }) => name !== 'Plan')
            .map(({ name, values }) => [`${name}:`, values.join(', ')]),
        ]),
      ].join('\n'),
    );
  });
}

function servicesCommand(program: Command): void {
  program
    .command('addons:services')
    .description('list what can be added, and what would have to be installed for it')
    .option('-j, --json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const services = await new ApiClient().request<ServiceView[]>('GET', '/addon-services');
      printResult(options.json, services, () =>
        [
          formatTable(
            services.map(({ name, available, description }) => [
              name,
              available ? '' : 'not here',
              description,
            ]),
          ),
          '',
          'See plans with: tailrace addons:plans SERVICE. Every service can be attached by its address: addons:create SERVICE --url URL',
        ].join('\n'),
      );
    });
}

function plansCommand(program: Command): void {
  program
    .command('addons:plans <service>')
    .description("list a service's plans")
    .option('-j, --json', 'print JSON')
    .action(async (service: string, options: { json?: boolean }) => {
      const path = `/addon-services/${encodeURIComponent(service.split(':')[0])}/plans`;
      const plans = await new ApiClient().request<PlanView[]>('GET', path);
      printResult(options.json, plans, () =>
        formatTable(plans.map((plan) => [plan.default ? 'default' : '', plan.name, plan.description])),
      );
    });
}

function docsCommand(program: Command): void {
  program
    .command('addons:docs <service>')
    .description("open the documentation of a service, or of an add-on's, in a browser")
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('--show-url', 'print its address and open nothing')
    .action(async (service: string, options: { app?: string; showUrl?: boolean }) => {
      const ask = (name: string) =>
        new ApiClient().request<ServiceView>('GET', `/addon-services/${encodeURIComponent(name)}`);
      const view = await ask(service.split(':')[0]).catch(async (error: unknown) => {
        const found = await findAddon(options, service).catch(() => undefined);
        if (!found) throw error;
        return ask(found.addon.addon_service.name);
      });
      show(view.docs_url, options);
    });
}

function openCommand(program: Command): void {
  addClientOptions(program.command('addons:open <addon>').description("open an add-on's page in a browser"))
    .option('--show-url', 'print its address, which is good for one use, and open nothing')
    .action(async (which: string, options: Options & { showUrl?: boolean }) => {
      const { addon } = await findAddon(options, which);
      if (addon.web_url === null)
        throw new TailraceError(
          'not_found',
          `${addon.name} (${addon.addon_service.name}) has no page to open; see tailrace addons:info ${addon.name}`,
        );
      show(addon.web_url, options);
    });
}

/** `heroku-redis:local  redis-clear-1  REDIS on shop, QUEUE on two` */
function addonRow(
  addon: AddonView,
  attachments: readonly AttachmentView[],
  app: string | undefined,
): string[] {
  const attached = attachments
    .filter((one) => one.addon.id === addon.id)
    .map((one) => (one.app.name === app ? `as ${one.name}` : `as ${one.name} on ${one.app.name}`));
  const state = addon.state === 'provisioned' ? '' : addon.state;
  return [
    ...(app === undefined ? [addon.app.name] : []),
    addon.plan.name,
    addon.name,
    attached.join(', '),
    state,
  ];
}

function show(url: string, { showUrl }: { readonly showUrl?: boolean }): void {
  if (showUrl) process.stdout.write(`${url}\n`);
  else openInBrowser(url);
}
