/** An app as another server's Platform API tells of it. Every field may be null or missing there: what can't be used is left out. */

import { TailraceError } from '../../common/errors.ts';
import { isJsonObject } from '../../common/json-object.ts';
import type { SourceApi } from './source-api.ts';

/** What add-ons are called in `unread`. */
export const ADDONS = 'add-ons';

/** One process type. */
export interface SourceProcess {
  readonly type: string;
  readonly quantity: number;
  /** '' when it isn't told. */
  readonly size: string;
}
export interface SourceAddon {
  readonly name: string;
  /** `heroku-postgresql` */
  readonly service: string;
  /** Without the service: `essential-0`. */
  readonly plan: string;
  /** The app that it belongs to; others have it attached. */
  readonly owner: string;
  readonly configVars: readonly string[];
  /** Names of the app's attachments to it, as they come. */
  readonly attachments: readonly string[];
}
export interface SourceDrain {
  readonly url: string;
  readonly isAddons: boolean;
  /** How another Tailrace sends to it; Heroku has no such thing. */
  readonly options: Readonly<Record<string, unknown>>;
}
export interface SourcePerson {
  readonly email: string;
  readonly role: string;
  readonly permissions: readonly string[];
}
export interface SourceFeature {
  readonly name: string;
  readonly enabled: boolean;
}

/** All that is read of one. */
export interface SourceApp {
  readonly id: string;
  readonly name: string;
  readonly gitUrl: string;
  readonly webUrl: string;
  readonly region: string;
  readonly stack: string;
  readonly isPrivate: boolean;
  readonly maintenance: boolean;
  readonly formation: readonly SourceProcess[];
  /** Values by name; undefined: the key may not read them. */
  readonly config: Readonly<Record<string, string>> | undefined;
  /** Custom ones alone. */
  readonly domains: readonly string[];
  readonly certificates: number;
  /** In their order: `heroku/ruby`, a URL. */
  readonly buildpacks: readonly string[];
  readonly drains: readonly SourceDrain[];
  readonly addons: readonly SourceAddon[];
  readonly people: readonly SourcePerson[];
  readonly features: readonly SourceFeature[];
  readonly pipeline: boolean;
  readonly webhooks: number;
  /** The last one: `v42 (Deploy 1a2b3c4)`; '' when there is none. */
  readonly release: string;
  /** What couldn't be read, and why. */
  readonly unread: readonly { readonly what: string; readonly reason: string }[];
}

/**
 * Reads everything of an app that may come along.
 * @param which its name or id
 * @throws TailraceError when the app itself can't be read; what else can't is in `unread`
 */
export async function readSourceApp(api: SourceApi, which: string): Promise<SourceApp> {
  const path = `/apps/${encodeURIComponent(which)}`;
  const app = await api.get(path).catch((error: unknown) => {
    if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
    throw new TailraceError(
      'not_found',
      `There is no app ${which} at ${api.host}, or the key doesn't show it: \`heroku apps\` (with --team for those of a team) lists those that it shows.`,
    );
  });
  const id = text(app, 'id');
  const name = text(app, 'name');
  if (id === '' || name === '')
    throw new TailraceError(
      'unavailable',
      `${api.host} answered GET ${path} with something else than an app: is --from the address of a Platform API (https://api.heroku.com)?`,
    );
  const unread: { what: string; reason: string }[] = [];
  /** What isn't to be had of an app is said, and the rest goes on; a server that isn't there any more ends it. */
  const orElse = async <T>(what: string, read: Promise<T>, other: T, isOptional = false): Promise<T> => {
    try {
      return await read;
    } catch (error) {
      if (!(error instanceof TailraceError) || !['forbidden', 'not_found'].includes(error.code)) throw error;
      if (!isOptional || error.code === 'forbidden') unread.push({ what, reason: error.message });
      return other;
    }
  };
  const list = (what: string, resource: string, isOptional = false): Promise<readonly unknown[]> =>
    orElse(what, api.list(path + resource), [], isOptional);

  // One after the other: an import isn't worth a burst on somebody's rate limit.
  const formation = await list('formation', '/formation');
  const config = await orElse('config vars', api.get(`${path}/config-vars`), undefined);
  const domains = await list('domains', '/domains');
  const certificates = await list('certificates', '/sni-endpoints', true);
  const buildpacks = await list('buildpacks', '/buildpack-installations');
  const drains = await list('drains', '/log-drains');
  const addons = await list(ADDONS, '/addons');
  const attachments = await list('attachments of add-ons', '/addon-attachments');
  const people = await list('collaborators', '/collaborators');
  const features = await list('features', '/features', true);
  const coupling = await orElse('pipeline', api.get(`${path}/pipeline-couplings`), undefined, true);
  const webhooks = await list('webhooks', '/webhooks', true);
  const release = await orElse(
    'releases',
    api.firstOf(`${path}/releases`, 'version ..; max=1, order=desc'),
    undefined,
  );

  return {
    id,
    name,
    gitUrl: text(app, 'git_url'),
    webUrl: text(app, 'web_url'),
    region: text(app, 'region', 'name'),
    stack: text(app, 'stack', 'name'),
    isPrivate: text(app, 'space', 'name') !== '',
    maintenance: at(app, 'maintenance') === true,
    formation: formation.flatMap(processOf),
    config: config === undefined ? undefined : configOf(config),
    domains: domains
      .filter((domain) => text(domain, 'kind') === 'custom')
      .flatMap((domain) => text(domain, 'hostname') || []),
    certificates: certificates.length,
    buildpacks: [...buildpacks]
      .sort((a, b) => Number(at(a, 'ordinal') ?? 0) - Number(at(b, 'ordinal') ?? 0))
      .flatMap((one) => text(one, 'buildpack', 'name') || text(one, 'buildpack', 'url') || []),
    drains: drains.flatMap(drainOf),
    addons: addons.flatMap((addon) => addonOf(addon, attachments, name)),
    people: people.flatMap(personOf),
    features: features.flatMap((feature) => {
      const called = text(feature, 'name');
      return called === '' ? [] : [{ name: called, enabled: at(feature, 'enabled') === true }];
    }),
    pipeline: text(coupling, 'pipeline', 'id') !== '',
    webhooks: webhooks.length,
    release: releaseOf(release),
    unread,
  };
}

function processOf(process: unknown): SourceProcess[] {
  const type = text(process, 'type');
  const quantity = Number(at(process, 'quantity') ?? 0);
  if (type === '' || !Number.isInteger(quantity) || quantity < 0) return [];
  return [{ type, quantity, size: text(process, 'size') || text(process, 'dyno_size', 'name') }];
}

function configOf(config: unknown): Record<string, string> {
  const entries = Object.entries(isJsonObject(config) ? config : {});
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}

function drainOf(drain: unknown): SourceDrain[] {
  const url = text(drain, 'url');
  const options = at(drain, 'options');
  if (url === '') return [];
  return [{ url, isAddons: isJsonObject(at(drain, 'addon')), options: isJsonObject(options) ? options : {} }];
}

function addonOf(addon: unknown, attachments: readonly unknown[], app: string): SourceAddon[] {
  const service = text(addon, 'addon_service', 'name');
  const id = text(addon, 'id');
  if (service === '' || id === '') return [];
  const names = at(addon, 'config_vars');
  return [
    {
      name: text(addon, 'name'),
      service,
      plan: text(addon, 'plan', 'name').split(':').at(-1) ?? '',
      owner: text(addon, 'app', 'name') || app,
      configVars: Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [],
      attachments: attachments
        .filter((one) => text(one, 'addon', 'id') === id && (text(one, 'app', 'name') || app) === app)
        .flatMap((one) => text(one, 'name') || []),
    },
  ];
}

function personOf(person: unknown): SourcePerson[] {
  const email = text(person, 'user', 'email');
  if (email === '') return [];
  const permissions = at(person, 'permissions');
  return [
    {
      email,
      role: text(person, 'role'),
      permissions: Array.isArray(permissions) ? permissions.flatMap((one) => text(one, 'name') || []) : [],
    },
  ];
}

function releaseOf(release: unknown): string {
  const version = at(release, 'version');
  if (typeof version !== 'number') return '';
  const description = text(release, 'description');
  return `v${version}${description === '' ? '' : ` (${description})`}`;
}

/** What is below these names; undefined where anything on the way is null, missing or no object. */
function at(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce<unknown>((inner, name) => (isJsonObject(inner) ? inner[name] : undefined), value);
}

/** The same, if it is a text; '' if not. */
function text(value: unknown, ...names: readonly string[]): string {
  const found = at(value, ...names);
  return typeof found === 'string' ? found : '';
}
