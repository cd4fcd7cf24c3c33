/**
 * The apps that run on this machine: joins their dynos with those who ask for them, the API (which dynos are there?)
 * and the HTTP router (which dynos may answer?).
 */

import { TailraceError } from '../../common/errors.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { OwnPages, ProxyApp, Directory as ProxyDirectory, Upstream } from '../http-router/directory.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import type { Config } from '../records/release-history.ts';
import type { DynoView, ProcessView } from './contract.ts';
import type { HostedApp } from './hosted-app.ts';

/** What the HTTP router has to know of an app. */
export interface Face {
  readonly name: string;
  readonly maintenance: boolean;
  /** Host names of its own; `*.example.com` stands for all below. */
  readonly domains: readonly string[];
  /** Its own error pages. */
  readonly pages: OwnPages;
}

/** What a release changes for an app that runs in place. */
export interface InPlaceRelease {
  readonly version: number;
  readonly config: Config;
}

export interface HostedParts {
  readonly id: AppId;
  readonly app: HostedApp;
  /** Runs in its own folder, by `tailrace start`: takes new config vars, but no slugs. */
  readonly inPlace?: (release: InPlaceRelease) => Promise<void>;
}

interface Hosted extends HostedParts {
  face: Face;
  web: readonly Upstream[];
  readonly listeners: Set<() => void>;
  readonly proxyApp: ProxyApp;
}

export class Hosting implements ProxyDirectory {
  private readonly hosted = new Map<AppId, Hosted>();
  /** By host name and wildcard. */
  private readonly byHost = new Map<string, Hosted>();
  private readonly routerLine: (app: AppId, message: string) => void;

  /** @param routerLine takes the HTTP router's lines. */
  constructor(routerLine: (app: AppId, message: string) => void) {
    this.routerLine = routerLine;
  }

  /** Takes an app in; call the returned function whenever its dynos have changed. */
  add(parts: HostedParts, face: Face): () => void {
    const { id, app } = parts;
    const listeners = new Set<() => void>();
    const hosted: Hosted = { ...parts, face, web: app.web(), listeners, proxyApp: this.proxyApp(parts) };
    this.hosted.set(id, hosted);
    this.indexHosts();
    return () => {
      hosted.web = app.web();
      for (const listener of listeners) listener();
    };
  }

  remove(id: AppId): void {
    this.hosted.delete(id);
    this.indexHosts();
  }

  /** Its name, domains, maintenance or pages have changed. */
  show(id: AppId, face: Face): void {
    const hosted = this.hosted.get(id);
    if (!hosted) return;
    hosted.face = face;
    this.indexHosts();
    for (const listener of hosted.listeners) listener();
  }

  find(id: AppId): HostedParts | undefined {
    return this.hosted.get(id);
  }

  /** @throws TailraceError `conflict` when the app runs nothing here */
  required(id: AppId): HostedParts {
    const hosted = this.hosted.get(id);
    if (!hosted)
      throw new TailraceError(
        'conflict',
        'This app runs no dynos here: deploy it with `tailrace push`, or start it with `tailrace start`.',
      );
    return hosted;
  }

  /** `<app>.localhost`, or a domain of the app; with a single app here, every other name is its too. */
  appForHost(host: string): ProxyApp | undefined {
    const named = this.byHost.get(host) ?? this.byWildcard(host);
    if (named) return named.proxyApp;
    return this.hosted.size === 1 ? [...this.hosted.values()][0].proxyApp : undefined;
  }

  /** Of `*.a.example.com` and `*.example.com` the first. */
  private byWildcard(host: string): Hosted | undefined {
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const found = this.byHost.get(`*${host.slice(dot)}`);
      if (found) return found;
    }
    return undefined;
  }

  private indexHosts(): void {
    this.byHost.clear();
    for (const hosted of this.hosted.values())
      for (const host of hosted.face.domains) this.byHost.set(host, hosted);
    // An app's own name is nobody else's.
    for (const hosted of this.hosted.values()) this.byHost.set(`${hosted.face.name}.localhost`, hosted);
  }

  dynos(id: AppId): readonly DynoView[] {
    const hosted = this.hosted.get(id);
    return hosted ? hosted.app.dynos().map((dyno) => asView(dyno, hosted.app.version)) : [];
  }

  /** All processes that run, by app. @param others that an app has beside its formation */
  running(others: (app: AppId) => readonly DynoInfo[]): Map<AppId, DynoInfo[]> {
    const all = [...this.hosted].map(([id, { app }]): [AppId, DynoInfo[]] => [
      id,
      [...app.everyDyno(), ...others(id)].filter(({ pid }) => pid !== undefined),
    ]);
    return new Map(all);
  }

  formation(id: AppId): readonly ProcessView[] {
    return this.hosted.get(id)?.app.processes() ?? [];
  }

  private proxyApp({ id, app }: HostedParts): ProxyApp {
    const hosted = (): Hosted | undefined => this.hosted.get(id);
    return {
      get name() {
        return hosted()?.face.name ?? '';
      },
      get maintenance() {
        return hosted()?.face.maintenance ?? false;
      },
      get pages() {
        return hosted()?.face.pages ?? {};
      },
      webDynos: () => hosted()?.web ?? [],
      formationCount: () => app.processes().find(({ type }) => type === 'web')?.quantity ?? 0,
      onChange: (listener) => {
        const listeners = hosted()?.listeners;
        listeners?.add(listener);
        return () => listeners?.delete(listener);
      },
      line: (message) => this.routerLine(id, message),
    };
  }
}

/** A dyno as the API shows it. */
export function asView(dyno: DynoInfo, version: number): DynoView {
  const { id, name, type, command, state, createdAt, updatedAt } = dyno;
  return {
    id,
    name,
    type,
    command,
    state,
    version,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
