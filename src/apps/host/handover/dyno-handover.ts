/** Takes over dynos that an earlier server has left, or that went on when it was killed. */
import type { Log } from '../../../common/log.ts';
import type { AppId } from '../../../logs/store/contract.ts';
import { type AdoptedDyno, Dyno, type DynoNote } from '../../processes/dyno.ts';
import type { KeeperClient } from '../../processes/keeper/keeper-client.ts';
import type { KeptProcess } from '../../processes/keeper/messages.ts';
import type { LineSink } from '../../processes/output/line-sink.ts';
import { signalGroup, waitForGroupExit } from '../../processes/process-group.ts';
import type { Workspace } from '../../processes/supervisor.ts';
import { type DynoOwner, type KeptFormation, sortKept } from './kept-dynos.ts';

interface DynoHandoverOptions {
  readonly keeper: KeeperClient;
  readonly lines: (app: AppId) => LineSink;
  readonly adoptWorkspace: (id: string) => Workspace;
  readonly log: Log;
}

const KILL_TIMEOUT_MS = 5_000;

export class DynoHandover {
  private readonly options: DynoHandoverOptions;
  private processes: readonly KeptProcess[] = [];
  private formations: KeptFormation[] = [];
  private addons = new Map<string, AdoptedDyno>();
  private leaving: readonly AdoptedDyno[] = [];
  private unknown: readonly KeptProcess[] = [];

  constructor(options: DynoHandoverOptions) {
    this.options = options;
  }

  /** Asks for the dynos that are there. To be called before all others. */
  async open(): Promise<void> {
    this.processes = await this.options.keeper.takeOver();
    const { formations, addons, leaving, unknown } = sortKept(this.processes);
    this.formations = [...formations];
    this.addons = new Map(addons);
    this.leaving = leaving;
    this.unknown = unknown;
    if (this.processes.length > 0)
      this.options.log.info(
        { dynos: this.processes.length },
        'dynos that went on without a server are taken over',
      );
  }

  /** Of those that are there. */
  pids(): ReadonlySet<number> {
    return new Set(this.processes.map(({ pid }) => pid));
  }

  /** Of the dynos: their folders are in use. */
  dynoIds(): ReadonlySet<string> {
    return new Set(this.processes.flatMap(({ note }) => (note as DynoNote | undefined)?.info?.id ?? []));
  }

  /** What runs of an app, the oldest first. It is the caller's from now on. */
  takeFormations(app: AppId): readonly KeptFormation[] {
    const taken = this.formations.filter(({ owner }) => owner.app === app);
    this.formations = this.formations.filter(({ owner }) => owner.app !== app);
    return taken;
  }

  /** The process of an add-on. It is the caller's from now on. */
  takeAddon(id: string): AdoptedDyno | undefined {
    const taken = this.addons.get(id);
    this.addons.delete(id);
    return taken;
  }

  /** Ends the process of an add-on that is removed, if there is one. */
  async endAddon(id: string): Promise<void> {
    const taken = this.takeAddon(id);
    if (taken) await this.kill(taken.process);
  }

  /** Ends what nobody has taken, and what was about to end. */
  close(): void {
    for (const { dynos } of this.formations) for (const dyno of dynos) this.finish(dyno);
    for (const dyno of this.leaving) this.finish(dyno);
    for (const { process } of this.addons.values()) void this.kill(process);
    for (const process of this.unknown) void this.kill(process);
    this.formations = [];
    this.addons.clear();
    this.leaving = [];
    this.unknown = [];
  }

  private finish(adopted: AdoptedDyno): void {
    const { keeper, lines, adoptWorkspace } = this.options;
    const { info, owner, cwd, env } = adopted.note;
    const { id, name, type, command, size, port } = info;
    const workspace = adoptWorkspace(id);
    const dyno = new Dyno({
      ...{ id, name, type, command, size, port, cwd, env, owner, keeper, adopted },
      lines: lines((owner as DynoOwner).app),
      killDaemonized: true,
    });
    void dyno
      .start()
      .then(() => dyno.stop())
      .then(() => workspace.remove());
  }

  private async kill(process: KeptProcess): Promise<void> {
    const { keeper } = this.options;
    signalGroup(process.pid, 'SIGKILL');
    await keeper.exitOf(process);
    await waitForGroupExit(process.pid, KILL_TIMEOUT_MS);
    keeper.forget(process.id);
  }
}
