/**
 * The apps that run on this machine, for the API (which dynos are there?) and the HTTP router (which dynos may serve
 * requests?).
 */

import { TailraceError } from '../../common/errors.ts';
import { LOCAL_DOMAIN } from '../../common/http/addresses.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { AppLookup, ErrorPageUrls, RoutedApp, Upstream } from '../http-router/app-lookup.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import type { Config } from '../records/release-record.ts';
import type { AppDeployment } from './app-deployment.ts';
import type { DynoSummary, FormationEntry } from './contract.ts';

/** What the HTTP router needs to know of an app. */
export interface RoutingInfo {
  readonly name: string;
  readonly maintenance: boolean;
  /** Its own host names; `*.example.com` matches all below. */
  readonly domains: readonly string[];
  /** Its own error pages. */
  readonly errorPages: ErrorPageUrls;
  /** Was nothing deployed to it so far? */
  readonly isBlank: boolean;
}

/** What a release changes for a local app. */
interface LocalRelease {
  readonly version: number;
  readonly config: Config;
}

interface RunningAppEntry {
  readonly id: AppId;
  readonly deployment: AppDeployment;
  /** Of a local app, which `tailrace start` runs in its own folder: it takes new config vars, but no slugs. */
  readonly applyLocalRelease?: (release: LocalRelease) => Promise<void>;
}

interface RoutedEntry extends RunningAppEntry {
  routing: RoutingInfo;
  upstreams: readonly Upstream[];
  readonly listeners: Set<() => void>;
  readonly routedApp: RoutedApp;
}

/** One for the server. Host names are looked up for each request, so they are indexed with each change. */
export class RunningApps implements AppLookup {
  private readonly entries = new Map<AppId, RoutedEntry>();
  /** Nothing was deployed to these, but they have names: no other app answers to those. */
  private readonly blankApps = new Map<AppId, RoutingInfo>();
  /** By name, and by host name. */
  private readonly blankByName = new Map<string, AppId>();
  /** By host name and wildcard. */
  private readonly byHost = new Map<string, RoutedEntry>();
  private readonly logRouterLine: (app: AppId, message: string) => void;
  private readonly domains: readonly string[];

  /**
   * @param logRouterLine takes the HTTP router's lines.
   * @param domains behind the names of apps: each app has a host name below each of them
   */
  constructor(
    logRouterLine: (app: AppId, message: string) => void,
    domains: readonly string[] = [LOCAL_DOMAIN],
  ) {
    this.logRouterLine = logRouterLine;
    this.domains = domains;
  }

  /** Adds an app. @returns a function to call whenever its dynos have changed */
  add(app: RunningAppEntry, routing: RoutingInfo): () => void {
    const { id, deployment } = app;
    const listeners = new Set<() => void>();
    const entry: RoutedEntry = {
      ...app,
      routing,
      upstreams: deployment.webUpstreams(),
      listeners,
      routedApp: this.createRoutedApp(app),
    };
    this.entries.set(id, entry);
    this.setBlank(id, undefined);
    this.indexHosts();
    return () => {
      entry.upstreams = deployment.webUpstreams();
      for (const listener of listeners) listener();
    };
  }

  /** Requests that wait for its dynos wait no longer. */
  remove(id: AppId): void {
    this.setBlank(id, undefined);
    const entry = this.entries.get(id);
    if (!entry) return;
    this.entries.delete(id);
    this.indexHosts();
    for (const listener of entry.listeners) listener();
  }

  /** The app's name, domains, maintenance or error pages have changed. */
  updateRoute(id: AppId, routing: RoutingInfo): void {
    const entry = this.entries.get(id);
    if (!entry) {
      this.setBlank(id, routing.isBlank ? routing : undefined);
      return;
    }
    entry.routing = routing;
    this.indexHosts();
    for (const listener of entry.listeners) listener();
  }

  find(id: AppId): RunningAppEntry | undefined {
    return this.entries.get(id);
  }

  /** @throws TailraceError `conflict` when the app runs nothing here */
  requireApp(id: AppId): RunningAppEntry {
    const entry = this.entries.get(id);
    if (!entry)
      throw new TailraceError(
        'conflict',
        'This app runs no dynos here: deploy it with `tailrace push`, or start it with `tailrace start`.',
      );
    return entry;
  }

  /** By the app's name below one of our domains, or a domain of its own; a single app gets all other host names, too. */
  appForHost(host: string): RoutedApp | undefined {
    const exact = this.byHost.get(host);
    if (exact) return exact.routedApp;
    const named = this.findBlank(host) ?? this.findByWildcard(host)?.routedApp;
    if (named) return named;
    return this.entries.size === 1 ? [...this.entries.values()][0].routedApp : undefined;
  }

  /** There may be many, of which only lines are known: they are no more than their names. */
  private findBlank(host: string): RoutedApp | undefined {
    const names = this.domains.filter((domain) => host.endsWith(`.${domain}`));
    const id = [host, ...names.map((domain) => host.slice(0, -domain.length - 1))]
      .map((name) => this.blankByName.get(name))
      .find((found) => found !== undefined);
    const routing = id === undefined ? undefined : this.blankApps.get(id);
    return id && routing && this.createBlankApp(id, routing);
  }

  /** @param routing undefined: it isn't blank any more, or gone */
  private setBlank(id: AppId, routing: RoutingInfo | undefined): void {
    const namesOf = (one?: RoutingInfo): readonly string[] => (one ? [one.name, ...one.domains] : []);
    for (const name of namesOf(this.blankApps.get(id)))
      if (this.blankByName.get(name) === id) this.blankByName.delete(name);
    for (const name of namesOf(routing)) this.blankByName.set(name, id);
    if (routing) this.blankApps.set(id, routing);
    else this.blankApps.delete(id);
  }

  /** `*.a.example.com` is preferred to `*.example.com`. */
  private findByWildcard(host: string): RoutedEntry | undefined {
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const found = this.byHost.get(`*${host.slice(dot)}`);
      if (found) return found;
    }
    return undefined;
  }

  private indexHosts(): void {
    this.byHost.clear();
    for (const entry of this.entries.values())
      for (const host of entry.routing.domains) this.byHost.set(host, entry);
    // Last, so that no domain of another app takes an app's own name.
    for (const entry of this.entries.values())
      for (const domain of this.domains) this.byHost.set(`${entry.routing.name}.${domain}`, entry);
  }

  /** The apps that run here. */
  ids(): readonly AppId[] {
    return [...this.entries.keys()];
  }

  dynos(id: AppId): readonly DynoSummary[] {
    const entry = this.entries.get(id);
    return entry ? entry.deployment.dynos().map((dyno) => toDynoView(dyno, entry.deployment.version)) : [];
  }

  /** All processes of formations that run. */
  processes(): { readonly app: AppId; readonly dyno: DynoInfo }[] {
    return [...this.entries].flatMap(([app, { deployment }]) =>
      deployment.allDynos().map((dyno) => ({ app, dyno })),
    );
  }

  formation(id: AppId): readonly FormationEntry[] {
    return this.entries.get(id)?.deployment.processes() ?? [];
  }

  private createBlankApp(id: AppId, { name, maintenance, errorPages }: RoutingInfo): RoutedApp {
    return {
      name,
      isBlank: true,
      maintenance,
      errorPages,
      webDynos: () => [],
      desiredWebDynos: () => 0,
      onChange: () => () => {},
      log: (message) => this.logRouterLine(id, message),
    };
  }

  private createRoutedApp({ id, deployment }: RunningAppEntry): RoutedApp {
    const entry = (): RoutedEntry | undefined => this.entries.get(id);
    return {
      isBlank: false,
      get name() {
        return entry()?.routing.name ?? '';
      },
      get maintenance() {
        return entry()?.routing.maintenance ?? false;
      },
      get errorPages() {
        return entry()?.routing.errorPages ?? {};
      },
      webDynos: () => entry()?.upstreams ?? [],
      desiredWebDynos: () =>
        (entry() && deployment.processes().find(({ type }) => type === 'web')?.quantity) ?? 0,
      onChange: (listener) => {
        const listeners = entry()?.listeners;
        listeners?.add(listener);
        return () => listeners?.delete(listener);
      },
      log: (message) => this.logRouterLine(id, message),
    };
  }
}

/** A dyno as the API shows it. */
export function toDynoView(dyno: DynoInfo, version: number): DynoSummary {
  const { id, name, type, command, size, state, createdAt, updatedAt } = dyno;
  return {
    id,
    name,
    type,
    command,
    size,
    state,
    version,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
