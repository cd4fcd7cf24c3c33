/**
 * The apps that run on this machine: joins the runner's formations with those who ask for them, the API (which
 * dynos are there?) and the HTTP router (which dynos may answer?).
 */
import { TailraceError } from './errors.ts';
import type { DynoRunner, DynoView } from './platform/context.ts';
import type { ProxyApp, Directory as ProxyDirectory, Upstream } from './proxy/directory.ts';
import type { DynoInfo } from './runner/dyno.ts';
import type { Formation } from './runner/formation.ts';
import type { AppId } from './store/contract.ts';

interface Hosted {
  readonly id: AppId;
  readonly name: string;
  readonly formation: Formation;
  readonly commands: ReadonlyMap<string, string>;
  readonly proxyApp: ProxyApp;
  changed(): void;
}

export class Hosting implements DynoRunner, ProxyDirectory {
  private readonly hosted = new Map<AppId, Hosted>();
  private readonly routerLine: (app: AppId, message: string) => void;

  /** @param routerLine takes the HTTP router's lines. */
  constructor(routerLine: (app: AppId, message: string) => void) {
    this.routerLine = routerLine;
  }

  /** Takes an app in; call the returned function whenever its dynos have changed. */
  add(id: AppId, name: string, formation: Formation, commands: ReadonlyMap<string, string>): () => void {
    const listeners = new Set<() => void>();
    let web: readonly Upstream[] = [];
    const changed = (): void => {
      web = formation.dynos().filter(isListening).map(asUpstream);
      for (const listener of listeners) listener();
    };
    const proxyApp: ProxyApp = {
      name,
      maintenance: false,
      webDynos: () => web,
      formationCount: () => formation.counts().web ?? 0,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      line: (message) => this.routerLine(id, message),
    };
    this.hosted.set(id, { id, name, formation, commands, proxyApp, changed });
    return changed;
  }

  /** `<app>.localhost`; with a single app here, every other name is its too. */
  appForHost(host: string): ProxyApp | undefined {
    const all = [...this.hosted.values()];
    const named = all.find(({ name }) => host === `${name}.localhost`);
    return (named ?? (all.length === 1 ? all[0] : undefined))?.proxyApp;
  }

  dynos(app: AppId): readonly DynoView[] {
    const hosted = this.hosted.get(app);
    return hosted ? hosted.formation.dynos().map(asView) : [];
  }

  formation(app: AppId): readonly { type: string; quantity: number; command: string }[] {
    const hosted = this.hosted.get(app);
    if (!hosted) return [];
    const counts = hosted.formation.counts();
    return [...hosted.commands].map(([type, command]) => ({ type, command, quantity: counts[type] ?? 0 }));
  }

  async scale(app: AppId, type: string, quantity: number): Promise<void> {
    const hosted = this.required(app);
    await hosted.formation.scale(type, quantity);
    hosted.changed();
  }

  async restart(app: AppId, which: string | undefined): Promise<void> {
    await this.required(app).formation.restart(which);
  }

  async stop(app: AppId, dyno: string): Promise<void> {
    await this.required(app).formation.stopDyno(dyno);
  }

  private required(app: AppId): Hosted {
    const hosted = this.hosted.get(app);
    if (!hosted)
      throw new TailraceError('conflict', 'This app runs no dynos here: start it with `tailrace start`.');
    return hosted;
  }
}

function isListening(dyno: DynoInfo): dyno is DynoInfo & { port: number } {
  return dyno.type === 'web' && dyno.port !== undefined;
}

function asUpstream({ name, port, state }: DynoInfo & { port: number }): Upstream {
  return { name, port, state };
}

function asView(dyno: DynoInfo): DynoView {
  const { id, name, type, command, state, createdAt, updatedAt } = dyno;
  return {
    id,
    name,
    type,
    command,
    state,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
