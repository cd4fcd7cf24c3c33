import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { ApiClient } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface PartnerView {
  readonly id: string;
  readonly name: string;
  readonly environment: string;
  readonly base_url: string;
  readonly sso_url: string;
  readonly config_vars: readonly string[];
  readonly requires: readonly string[];
  readonly plans: readonly string[];
  readonly client_secret?: string;
  readonly replaces?: string | null;
}

interface Options {
  readonly json?: boolean;
}

/** `tailrace addons:register`, `addons:unregister`, `addons:manifests`: services that speak the add-on partner protocol */
export function partnerCommands(program: Command): void {
  program
    .command('addons:register [manifest]')
    .description('let a service that speaks the add-on partner protocol make add-ons')
    .option('--test', "use the manifest's test addresses, not those of production")
    .option('-j, --json', 'print JSON')
    .action(async (file: string | undefined, options: Options & { test?: boolean }) => {
      const body = {
        manifest: readManifest(file ?? 'addon-manifest.json'),
        environment: options.test ? 'test' : 'production',
      };
      const partner = await new ApiClient().request<PartnerView>('POST', '/addon-manifests', body);
      printResult(options.json, partner, () =>
        [
          `Registered ${partner.id} at ${partner.base_url}`,
          ...(partner.replaces
            ? [
                `The name ${partner.id} stood for ${partner.replaces} on this machine; now it is the partner's.`,
              ]
            : []),
          `Its partner exchanges grants with this client secret: ${partner.client_secret}`,
          `Use it: tailrace addons:create ${partner.id}`,
        ].join('\n'),
      );
    });
  program
    .command('addons:unregister <service>')
    .description('forget a service that was registered')
    .option('-f, --force', 'also while there are add-ons of it')
    .option('-j, --json', 'print JSON')
    .action(async (service: string, options: Options & { force?: boolean }) => {
      const path = `/addon-manifests/${encodeURIComponent(service)}`;
      const body = { force: options.force ?? false };
      const partner = await new ApiClient().request<PartnerView>('DELETE', path, body);
      printResult(options.json, partner, () => `Unregistered ${partner.id}`);
    });
  program
    .command('addons:manifests [service]')
    .description('list the services that are registered, or show one with its client secret')
    .option('-j, --json', 'print JSON')
    .action(async (service: string | undefined, options: Options) => {
      if (service !== undefined) return showPartner(service, options);
      const partners = await new ApiClient().request<PartnerView[]>('GET', '/addon-manifests');
      printResult(options.json, partners, () =>
        partners.length === 0
          ? 'No partners are registered: tailrace addons:register addon-manifest.json'
          : formatTable(
              partners.map(({ id, name, base_url: url, environment }) => [id, name, url, environment]),
            ),
      );
    });
}

async function showPartner(service: string, options: Options): Promise<void> {
  const path = `/addon-manifests/${encodeURIComponent(service)}`;
  const partner = await new ApiClient().request<PartnerView>('GET', path);
  printResult(options.json, partner, () =>
    [
      `=== ${partner.id}`,
      formatTable([
        ['Name:', partner.name],
        ['Addresses of:', partner.environment],
        ['Add-ons:', partner.base_url],
        ['Sign-on:', partner.sso_url],
        ['Config vars:', partner.config_vars.join(', ')],
        ['Requires:', partner.requires.join(', ') || 'nothing'],
        ['Plans:', partner.plans.join(', ') || 'whatever it accepts'],
        ['Client secret:', partner.client_secret ?? ''],
      ]),
    ].join('\n'),
  );
}

/** @throws TailraceError for a file that can't be read, or is no JSON */
function readManifest(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new TailraceError(
      'invalid_params',
      `${file} can't be read (${reasonOf(error)}): name the service's addon-manifest.json.`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TailraceError('invalid_params', `${file} is no JSON: ${reasonOf(error)}.`);
  }
}
