/** What this server has already of an app that is to be imported. */
import { TailraceError } from '../../common/errors.ts';
import type { ApiClient } from '../api-client.ts';

/** An add-on service as this server has it. */
export interface DestinationService {
  readonly name: string;
  /** What it is, or which program is missing for it. */
  readonly description: string;
  readonly available: boolean;
}

/** The app as it is here; empty for one that is still to be made. */
export interface DestinationApp {
  /** Has it a release with code? */
  readonly isDeployed: boolean;
  readonly formation: readonly { readonly type: string; readonly quantity: number; readonly size: string }[];
  /** Undefined: the key may not read them. */
  readonly config: Readonly<Record<string, string>> | undefined;
  readonly domains: readonly string[];
  readonly buildpacks: readonly string[];
  readonly drainUrls: readonly string[];
  readonly attachments: readonly {
    readonly name: string;
    readonly addon: string;
    readonly service: string;
  }[];
  readonly features: Readonly<Record<string, boolean>>;
}

export interface Destination {
  /** Undefined: it is still to be made. */
  readonly app: DestinationApp | undefined;
  readonly services: readonly DestinationService[];
  /** Addresses of people who have something to do with the app, or are invited to; undefined: the key may not know. */
  readonly people: readonly string[] | undefined;
  /** Names that add-ons of all apps have. */
  readonly addonNames: readonly string[];
}

/** An app of this server, as far as it matters whether it is an import. */
export interface ListedApp {
  readonly name: string;
  readonly imported_from: string | null;
  readonly created_at: string;
  readonly git_url: string;
}
interface PersonView {
  readonly email: string;
  readonly role: string | null;
  readonly apps: readonly { readonly app: { readonly name: string } }[];
}

/**
 * The name that an imported app has or gets here: of one that was imported from the same address before, whatever it is called by now.
 * @param wanted what somebody asked for; undefined: as there
 * @throws TailraceError `conflict` when an app of that name is none that was imported from there
 */
export function nameOfImport(
  apps: readonly Omit<ListedApp, 'git_url'>[],
  {
    from,
    wanted,
    name,
  }: { readonly from: string; readonly wanted: string | undefined; readonly name: string },
): { readonly name: string; readonly exists: boolean } {
  // Copies may have been made since, under other names: the first one is meant.
  const imports = apps.filter((app) => app.imported_from === from);
  const [first] = imports.toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1));
  const before = wanted === undefined ? (imports.find((app) => app.name === name) ?? first) : undefined;
  if (before) return { name: before.name, exists: true };
  const target = wanted ?? name;
  const there = apps.find((app) => app.name === target);
  if (there && there.imported_from !== from)
    throw new TailraceError(
      'conflict',
      `There is an app ${target} here, and it wasn't imported from ${from}: it stays as it is. Give this one another name with --as NAME.`,
    );
  return { name: target, exists: there !== undefined };
}

/** Reads it. @param exists is there an app of this name? */
export async function readDestination(
  client: ApiClient,
  name: string,
  exists: boolean,
): Promise<Destination> {
  const get = <T>(path: string) => client.request<T>('GET', path);
  const allowed = async <T>(read: Promise<T>): Promise<T | undefined> => {
    try {
      return await read;
    } catch (error) {
      if (error instanceof TailraceError && error.code === 'forbidden') return undefined;
      throw error;
    }
  };
  const services = await get<DestinationService[]>('/addon-services');
  const all = await allowed(get<PersonView[]>('/people'));
  const addons = (await allowed(get<{ name: string }[]>('/addons'))) ?? [];
  const people = all
    ?.filter(({ role, apps }) => role !== null || apps.some(({ app }) => app.name === name))
    .map(({ email }) => email.toLowerCase());
  const addonNames = addons.map((addon) => addon.name);
  if (!exists) return { app: undefined, services, people, addonNames };
  const path = `/apps/${encodeURIComponent(name)}`;
  const { slug_size: slug } = await get<{ slug_size: number | null }>(path);
  const attachments = await get<{ name: string; addon: { name: string }; addon_service: { name: string } }[]>(
    `${path}/addon-attachments`,
  );
  const features = await get<{ name: string; enabled: boolean }[]>(`${path}/features`);
  return {
    services,
    people,
    addonNames,
    app: {
      isDeployed: slug !== null,
      formation: await get<DestinationApp['formation']>(`${path}/formation`),
      config: await allowed(get<Record<string, string>>(`${path}/config-vars`)),
      domains: (await get<{ hostname: string }[]>(`${path}/domains`)).map(({ hostname }) => hostname),
      buildpacks: (await get<{ buildpack: { name: string } }[]>(`${path}/buildpack-installations`)).map(
        ({ buildpack }) => buildpack.name,
      ),
      drainUrls: (await get<{ url: string }[]>(`${path}/log-drains`)).map(({ url }) => url),
      attachments: attachments.map((one) => ({
        name: one.name,
        addon: one.addon.name,
        service: one.addon_service.name,
      })),
      features: Object.fromEntries(features.map((feature) => [feature.name, feature.enabled])),
    },
  };
}
