import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { type ApiClient, addClientOptions, resolveEndpoint, waitIntervalOption } from '../api-client.ts';
import { printResult } from '../format.ts';
import {
  type AddonView,
  type AttachmentView,
  findAddon,
  newestRelease,
  resolveAddon,
  withConfirmationHint,
} from './addon-client.ts';

const WAIT_INTERVAL_MS = 1_000;

interface Options {
  readonly app?: string;
  readonly json?: boolean;
}
interface AttachOptions extends Options {
  readonly as?: string;
  readonly confirm?: string;
}
interface CreateOptions extends AttachOptions {
  readonly name?: string;
  readonly url?: string;
  readonly wait?: boolean;
}

/** `addons:create redis`, `addons:destroy`, `addons:attach`, `addons:detach`, `addons:rename`, `addons:upgrade`, `addons:wait` */
export function addonChangeCommands(program: Command): void {
  createCommand(program);
  destroyCommand(program);
  attachCommand(program);
  detachCommand(program);
  renameCommand(program);
  upgradeCommand(program);
  waitCommand(program);
}

function createCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:create <service:plan> [options...]')
      .alias('addons:add')
      .description('create an add-on, such as redis, and give the app its config vars'),
  )
    .option('--as <name>', 'of its attachment, which begins its config vars: CACHE for CACHE_URL')
    .option('--name <name>', 'of the add-on')
    .option('--url <url>', 'attach what runs there already, instead of a server of its own')
    .option('--confirm <app>', 'overwrite config vars or an attachment of that name')
    .option('--wait', 'until it is there, if its provider takes its time')
    .action(async (plan: string, more: string[], options: CreateOptions) => {
      const { app, client, path } = await resolveEndpoint(options, '/addons');
      const config = {
        ...parseProviderOptions(more),
        ...(options.url === undefined ? {} : { url: options.url }),
      };
      const body = {
        plan: { name: plan },
        name: options.name,
        attachment: { name: options.as },
        confirm: options.confirm,
        config,
      };
      let addon = await withConfirmationHint(app, client.request<AddonView>('POST', path, body));
      if (options.wait) addon = await waitFor(client, addon);
      printResult(options.json, addon, () =>
        [
          `Creating ${plan} on ${app}... done`,
          ...(addon.provision_message ? [addon.provision_message] : []),
          addon.state === 'provisioned'
            ? `Created ${addon.name} as ${addon.config_vars.join(', ')}`
            : `${addon.name} is being created in the background; addons:wait ${addon.name} waits for it.`,
        ].join('\n'),
      );
    });
}

function destroyCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:destroy <addon...>')
      .alias('addons:remove')
      .option('-c, --confirm <app>', 'the name of the app')
      .option('-f, --force', 'also when other apps use it, or its partner is no more')
      .option('--wait', 'until it is removed, if its provider takes its time')
      .description('end an add-on, and remove what it holds'),
  ).action(
    async (names: string[], options: Options & { confirm?: string; force?: boolean; wait?: boolean }) => {
      const found = await Promise.all(names.map((which) => findAddon(options, which)));
      const [{ app, client }] = found;
      const addons = found.map(({ addon }) => addon);
      for (const { name, app: owner } of addons)
        if (owner.name !== app)
          throw new TailraceError(
            'bad_request',
            `${name} is on ${owner.name} not ${app}: name its app with --app ${owner.name}`,
          );
      if (options.confirm !== app)
        throw new TailraceError(
          'bad_request',
          `This removes what the add-on holds. If you mean it, add --confirm ${app}`,
        );
      for (const { id, name } of addons) {
        const body = { force: options.force ?? false };
        let gone = await client.request<AddonView>(
          'DELETE',
          `/apps/${encodeURIComponent(app)}/addons/${id}`,
          body,
        );
        if (options.wait) gone = await waitUntilGone(client, gone);
        printResult(options.json, gone, () =>
          gone.state === 'deprovisioned'
            ? `Destroying ${name} on ${app}... done`
            : `Destroying ${name} on ${app}... pending\n${name} is off the app, and is removed in the background: tailrace addons:info ${name} says what it waits for.`,
        );
      }
    },
  );
}

function attachCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:attach <addon>')
      .description("give an app the config vars of an add-on, also of another app's"),
  )
    .option('--as <name>', 'of the attachment, which begins its config vars: CACHE for CACHE_URL')
    .option('--confirm <app>', 'overwrite config vars or an attachment of that name')
    .action(async (which: string, options: AttachOptions) => {
      const { app, client } = await resolveEndpoint(options);
      const addon = which.includes('::') ? (await resolveAddon(client, app, which)).name : which;
      const body = { addon, app, name: options.as, confirm: options.confirm };
      const made = await withConfirmationHint(
        app,
        client.request<AttachmentView>('POST', '/addon-attachments', body),
      );
      const release = await newestRelease(client, app);
      printResult(options.json, made, () =>
        [
          `Attaching ${made.addon.name} as ${made.name} to ${app}... done`,
          `Setting ${made.config_vars.join(', ')} and restarting ${app}... done, ${release}`,
        ].join('\n'),
      );
    });
}

function detachCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:detach <attachment>')
      .description("take an add-on's config vars from an app; it stays"),
  ).action(async (which: string, options: Options) => {
    const { app, client, path } = await resolveEndpoint(
      options,
      `/addon-attachments/${encodeURIComponent(which)}`,
    );
    const gone = await client.request<AttachmentView>('DELETE', path);
    const release = await newestRelease(client, app);
    printResult(options.json, gone, () =>
      [
        `Detaching ${gone.name} to ${gone.addon.name} from ${app}... done`,
        `Unsetting ${gone.config_vars.join(', ')} and restarting ${app}... done, ${release}`,
      ].join('\n'),
    );
  });
}

function renameCommand(program: Command): void {
  addClientOptions(program.command('addons:rename <addon> <name>').description('rename an add-on')).action(
    async (which: string, name: string, options: Options) => {
      const { client, addon: found } = await findAddon(options, which);
      const { id, name: before } = found;
      const addon = await client.request<AddonView>('PATCH', `/addons/${id}`, { name });
      printResult(options.json, addon, () => `${before} successfully renamed to ${addon.name}.`);
    },
  );
}

function upgradeCommand(program: Command): void {
  addClientOptions(
    program
      .command('addons:upgrade <addon> [plan]')
      .alias('addons:downgrade')
      .description('change the plan of an add-on; its data stay'),
  ).action(async (which: string, typed: string | undefined, options: Options) => {
    const [name, planOfName] = which.split(':');
    const plan = typed ?? planOfName;
    if (!plan)
      throw new TailraceError(
        'invalid_params',
        `No plan specified: addons:upgrade ${which} PLAN (addons:plans ${which} lists them).`,
      );
    const { client, addon: before } = await findAddon(options, name);
    const service = before.addon_service.name;
    const body = { plan: { name: `${service}:${plan.split(':').at(-1)}` } };
    const addon = await client.request<AddonView>('PATCH', `/addons/${before.id}`, body);
    printResult(
      options.json,
      addon,
      () =>
        `Changing ${addon.name} on ${addon.app.name} from ${before.plan.name} to ${addon.plan.name}... done`,
    );
  });
}

function waitCommand(program: Command): void {
  addClientOptions(
    program.command('addons:wait [addon]').description('wait until add-ons that are being created are there'),
  )
    .addOption(waitIntervalOption())
    .action(async (which: string | undefined, options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/addons');
      const addons =
        which === undefined
          ? await client.request<AddonView[]>('GET', path)
          : [await resolveAddon(client, app, which)];
      for (const addon of addons) {
        if (addon.state !== 'provisioning') continue;
        const made = await waitFor(client, addon);
        printResult(options.json, made, () => `Created ${made.name} as ${made.config_vars.join(', ')}`);
      }
    });
}

/** @throws TailraceError when it isn't created */
async function waitFor(client: ApiClient, addon: AddonView): Promise<AddonView> {
  let now = addon;
  while (now.state === 'provisioning') now = await lookAgain(client, addon);
  if (now.state === 'provisioned') return now;
  throw new TailraceError(
    'unavailable',
    `${addon.name} was not created: the app's log says why (tailrace logs).`,
  );
}

async function waitUntilGone(client: ApiClient, addon: AddonView): Promise<AddonView> {
  let now = addon;
  while (now.state !== 'deprovisioned') now = await lookAgain(client, addon);
  return now;
}

/** After a while. */
async function lookAgain(client: ApiClient, addon: AddonView): Promise<AddonView> {
  await wait(WAIT_INTERVAL_MS);
  return client.request<AddonView>('GET', `/addons/${addon.id}`).catch((error: unknown) => {
    if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
    return { ...addon, state: 'deprovisioned' };
  });
}

/** What follows `--`: `--fork DATABASE --version=15 --flag`. @throws TailraceError `invalid_params` */
function parseProviderOptions(words: readonly string[]): Record<string, string> {
  const options: Record<string, string> = {};
  for (let i = 0; i < words.length; i++) {
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(words[i]) ?? [];
    if (name === undefined)
      throw new TailraceError(
        'invalid_params',
        `Unexpected argument ${words[i]}: options for the provider follow -- as --name value.`,
      );
    const next = words[i + 1];
    if (value !== undefined) options[name] = value;
    else if (next !== undefined && !next.startsWith('--')) {
      options[name] = next;
      i++;
    } else options[name] = 'true';
  }
  return options;
}
