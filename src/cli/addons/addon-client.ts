/** What the commands of add-ons ask of the API, and the add-ons as it shows them. */
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, resolveApp } from '../api-client.ts';

export interface AddonView {
  readonly id: string;
  readonly name: string;
  readonly app: { readonly name: string };
  readonly addon_service: { readonly name: string };
  readonly plan: { readonly name: string };
  readonly config_vars: readonly string[];
  readonly provision_message: string | null;
  readonly state: string;
  readonly web_url: string | null;
  readonly created_at: string;
}

export interface AttachmentView {
  readonly id: string;
  readonly name: string;
  readonly app: { readonly name: string };
  readonly addon: { readonly id: string; readonly name: string; readonly app: { readonly name: string } };
  readonly addon_service: { readonly name: string };
  readonly config_vars: readonly string[];
}

/** An add-on that a command is about, and the app that it was found on. */
export interface ResolvedAddon {
  readonly client: ApiClient;
  readonly app: string;
  readonly addon: AddonView;
}

/**
 * The add-on that a command is about: on the app that was named or is implied, else by its name alone, which is one on all apps.
 * @throws TailraceError `not_found`, `multiple_matches`
 */
export async function findAddon(options: { readonly app?: string }, which: string): Promise<ResolvedAddon> {
  const client = new ApiClient();
  if (options.app !== undefined)
    return { client, app: options.app, addon: await resolveAddon(client, options.app, which) };
  const anywhere = async (): Promise<ResolvedAddon> => {
    const addon = await resolveAddon(client, undefined, which);
    return { client, app: addon.app.name, addon };
  };
  const app = await resolveApp(client, undefined).catch(undefinedWhenNotFound);
  if (app === undefined) return anywhere();
  try {
    return { client, app, addon: await resolveAddon(client, app, which) };
  } catch (error) {
    const found = await anywhere().catch(undefinedWhenNotFound);
    // Somebody else's DATABASE is not what was meant.
    if (found && [found.addon.name, found.addon.id].includes(which.toLowerCase())) return found;
    throw error;
  }
}

function undefinedWhenNotFound(error: unknown): undefined {
  if (error instanceof TailraceError && ['not_found', 'multiple_matches'].includes(error.code))
    return undefined;
  throw error;
}

/**
 * The add-on that is meant, among those of an app, or `app::name`.
 * @param app undefined: among all
 * @throws TailraceError `not_found`, `multiple_matches`
 */
export async function resolveAddon(
  client: ApiClient,
  app: string | undefined,
  which: string,
): Promise<AddonView> {
  const [typedApp, typed] = which.includes('::') ? which.split('::', 2) : [app, which];
  const found = await client.request<AddonView[]>('POST', '/actions/addons/resolve', {
    addon: typed,
    ...(typedApp === undefined ? {} : { app: typedApp }),
  });
  if (found.length === 1) return found[0];
  const names = found.map(({ name }) => name).join(', ');
  throw new TailraceError(
    'multiple_matches',
    `Several add-ons match ${which}; say which by its name: ${names}.`,
  );
}

/** What may overwrite something, with what to add to do so. */
export async function withConfirmationHint<T>(app: string, request: Promise<T>): Promise<T> {
  return request.catch((error: unknown) => {
    if (!(error instanceof TailraceError) || error.code !== 'confirmation_required') throw error;
    throw new TailraceError(error.code, `${error.message} If you mean it, add --confirm ${app}`);
  });
}

/** The number of the newest release. */
export async function newestRelease(client: ApiClient, app: string): Promise<string> {
  const releases = await client.request<{ version: number }[]>(
    'GET',
    `/apps/${encodeURIComponent(app)}/releases`,
  );
  return `v${Math.max(...releases.map(({ version }) => version))}`;
}
