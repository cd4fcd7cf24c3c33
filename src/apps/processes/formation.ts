import type { Environment } from './config/dyno-env.ts';
import { defaultCounts, FormationError, parseDynoCount } from './config/formation-counts.ts';
import type { ProcfileEntry } from './config/procfile.ts';
import { type AdoptedDyno, BOOT_TIMEOUT_MS, type Dyno, type DynoInfo } from './dyno.ts';
import type { LineSink } from './output/line-sink.ts';
import { DynoPidFile } from './pid-file.ts';
import { defaultPort, PortAllocator } from './ports.ts';
import { STOP_GRACE_MS } from './process-group.ts';
import { DynoSupervisor, type SupervisorOptions } from './supervisor.ts';

export interface FormationOptions {
  /** Their order decides about the ports. */
  entries: readonly ProcfileEntry[];
  /** Dynos wanted per process type; of a type that isn't in it, one (of `release`: none). */
  counts?: Readonly<Record<string, number>>;
  /** The whole environment of the dynos, without what is different for each (`PORT`, `DYNO`). */
  env: Environment;
  cwd: string;
  /** Default: all dynos run in `cwd`. */
  createWorkspace?: SupervisorOptions['createWorkspace'];
  adoptWorkspace?: SupervisorOptions['adoptWorkspace'];
  keeper?: SupervisorOptions['keeper'];
  owner?: unknown;
  /** Dynos of it that an earlier server has started. */
  adopted?: readonly AdoptedDyno[];
  profileScript?: string;
  drainConnections?: (port: number) => Promise<void>;
  /** Shared with other formations on this machine. */
  ports?: PortAllocator;
  /** Shared with other formations with the same state folder. */
  pidFile?: DynoPidFile;
  lines: LineSink;
  /** Foreman's `-p`: the first port of the first process type. */
  basePort?: number;
  /** From SIGTERM to SIGKILL. */
  graceMs?: number;
  /** How long a web dyno may take to listen on its port. */
  bootTimeoutMs?: number;
  /** Asks the dynos' programs for color, although no terminal reads them. */
  color?: boolean;
  /** Where `dynos.json` is kept for `reapOrphans`; unset: not at all. */
  stateFolder?: string;
  restartDelayMs?: (crashCount: number) => number;
  /** Every change of a dyno: its state, and the coming and going of its process. */
  onChange?: (dyno: DynoInfo) => void;
  onPartialLine?: SupervisorOptions['onPartialLine'];
}

const BASE_PORT = 5000;

/** The dynos of an app: as many of each process type as are wanted, supervised. */
export class Formation {
  private readonly entries: readonly ProcfileEntry[];
  private readonly wantedCounts: Record<string, number>;
  private readonly basePort: number;
  private readonly supervisorOptions: SupervisorOptions;
  private readonly supervisors = new Map<string, DynoSupervisor>();
  /** Scaled down, but not gone yet. */
  private readonly stops = new Set<Promise<void>>();
  private readonly stoppingSupervisors = new Set<DynoSupervisor>();
  /** By name, until they have a supervisor. */
  private readonly adopted = new Map<string, AdoptedDyno>();
  private paused = false;
  private running = false;

  /** @throws {FormationError} for counts of unknown types, or out of range */
  constructor(options: FormationOptions) {
    const { entries, counts = {}, stateFolder } = options;
    this.entries = entries;
    this.wantedCounts = defaultCounts(entries.map((entry) => entry.type));
    for (const [type, quantity] of Object.entries(counts)) {
      this.wantedCounts[this.requireEntry(type).type] = parseDynoCount(type, quantity);
    }
    this.basePort = options.basePort ?? BASE_PORT;
    for (const dyno of options.adopted ?? []) this.adopted.set(dyno.note.info.name, dyno);
    const pidFile = options.pidFile ?? (stateFolder === undefined ? undefined : new DynoPidFile(stateFolder));
    this.supervisorOptions = {
      cwd: options.cwd,
      createWorkspace: options.createWorkspace,
      adoptWorkspace: options.adoptWorkspace,
      keeper: options.keeper,
      owner: options.owner,
      profileScript: options.profileScript,
      drainConnections: options.drainConnections,
      env: options.env,
      color: options.color ?? false,
      lines: options.lines,
      ports: options.ports ?? new PortAllocator(),
      graceMs: options.graceMs ?? STOP_GRACE_MS,
      bootTimeoutMs: options.bootTimeoutMs ?? BOOT_TIMEOUT_MS,
      restartDelayMs: options.restartDelayMs,
      onChange: options.onChange ?? (() => {}),
      onPartialLine: options.onPartialLine,
      onLaunch: (dyno) => {
        const { pid, id, name } = dyno.info();
        if (pid !== undefined) pidFile?.add(pid, id, name);
        if (this.paused) dyno.pause();
      },
      onExit: (_, pid) => {
        if (pid !== undefined) pidFile?.remove(pid);
      },
    };
  }

  /** Has the files of all dynos ready before they are started. @throws when these can't be had; nothing is left of them then */
  async prepare(): Promise<void> {
    const wanted = this.entries.flatMap((entry) =>
      Array.from({ length: this.wantedCounts[entry.type] }, (_, i) => this.supervisorFor(entry, i + 1)),
    );
    const results = await Promise.allSettled(wanted.map((supervisor) => supervisor.prepare()));
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return;
    await Promise.all(wanted.map((supervisor) => supervisor.discardPrepared()));
    throw failed.reason;
  }

  /** Launches all dynos. Resolves when they run; `onChange` reports when they are up. */
  async start(): Promise<void> {
    this.running = true;
    this.takeOver();
    await Promise.all(this.entries.map((entry) => this.reconcile(entry)));
  }

  /** Stops all dynos at the same time. Resolves when every process of them is gone. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all([...this.supervisors.values()].map((supervisor) => supervisor.stop()));
    await Promise.all(this.stops);
  }

  /** The same with SIGKILL. Also while `stop()` waits. */
  async kill(): Promise<void> {
    this.running = false;
    const all = [...this.supervisors.values(), ...this.stoppingSupervisors];
    await Promise.all(all.map((supervisor) => supervisor.kill()));
  }

  /** Leaves all dynos to the next server, running. Those that are being stopped it stops. */
  leave(): void {
    this.running = false;
    for (const supervisor of [...this.supervisors.values(), ...this.stoppingSupervisors]) supervisor.leave();
  }

  /** In the order of the Procfile, `web.2` before `web.10`. */
  dynos(): DynoInfo[] {
    return this.entries.flatMap((entry) =>
      this.supervisorsOf(entry.type).map((supervisor) => supervisor.info()),
    );
  }

  /** The dyno that runs under a name (`web.1`) or id, or the first one of a type. */
  findDyno(which: string): Dyno | undefined {
    const supervisors = this.entries.flatMap(({ type }) => this.supervisorsOf(type));
    const info = (name: 'name' | 'id' | 'type') =>
      supervisors.find((supervisor) => supervisor.dyno && supervisor.info()[name] === which);
    return (info('name') ?? info('id') ?? info('type'))?.dyno;
  }

  /** How many dynos of each type are wanted. */
  counts(): Record<string, number> {
    return { ...this.wantedCounts };
  }

  /**
   * Restarts one dyno (`web.1`), those of a type (`web`), or all, at the same time. Resolves when the new ones run.
   *
   * @throws {FormationError} if there is no such dyno or type, or the formation was stopped
   */
  async restart(target?: string): Promise<void> {
    if (!this.running) throw new FormationError('The app is not running; start it first.');
    await Promise.all(this.selectSupervisors(target).map((supervisor) => supervisor.restart()));
  }

  /**
   * Changes how many dynos of a type are wanted. Resolves when new ones run and surplus ones are gone; those with the
   * highest numbers go.
   *
   * @throws {FormationError} if there is no such type, or the number is impossible
   */
  async scale(type: string, quantity: number): Promise<void> {
    const entry = this.requireEntry(type);
    this.wantedCounts[type] = parseDynoCount(type, quantity);
    if (this.running) await this.reconcile(entry);
  }

  /**
   * Stops one dyno, which stays down until it is restarted or scaled anew.
   *
   * @throws {FormationError} if there is no such dyno
   */
  async stopDyno(name: string): Promise<void> {
    const supervisor = this.supervisors.get(name);
    if (supervisor === undefined) throw this.unknownDyno(name);
    await supervisor.stop();
  }

  /** Back-pressure: all dynos wait when they write, until `resume()`. */
  pause(): void {
    this.setPaused(true);
  }

  /** All dynos' output is read again. */
  resume(): void {
    this.setPaused(false);
  }

  private setPaused(paused: boolean): void {
    this.paused = paused;
    for (const supervisor of [...this.supervisors.values(), ...this.stoppingSupervisors]) {
      // The first dynos that are resumed may fill the buffer again at once.
      if (this.paused === paused) supervisor.setPaused(paused);
    }
  }

  /** Goes on with the dynos that run already; those that aren't wanted any more stop. */
  private takeOver(): void {
    for (const [name, adopted] of this.adopted) {
      const entry = this.entries.find(({ type }) => type === adopted.note.info.type);
      if (entry === undefined) continue;
      const supervisor = this.createSupervisor(entry, dynoNumber(adopted.note.info), adopted);
      this.supervisors.set(name, supervisor);
      void supervisor.start();
    }
    this.adopted.clear();
  }

  private createSupervisor(
    entry: ProcfileEntry,
    number: number,
    adopted: AdoptedDyno | undefined,
  ): DynoSupervisor {
    const { type, command } = entry;
    const preferredPort = defaultPort(this.basePort, this.entries.indexOf(entry), number);
    const spec = { name: `${type}.${number}`, type, command, preferredPort };
    return new DynoSupervisor(spec, this.supervisorOptions, adopted);
  }

  private async reconcile(entry: ProcfileEntry): Promise<void> {
    const { type } = entry;
    const wanted = this.wantedCounts[type];
    const changes: Promise<void>[] = [];
    for (const supervisor of this.supervisorsOf(type))
      if (dynoNumber(supervisor.info()) > wanted) changes.push(this.stopSurplus(supervisor));
    for (let number = 1; number <= wanted; number += 1)
      changes.push(this.supervisorFor(entry, number).start());
    await Promise.all(changes);
  }

  /** Makes it when there is none. */
  private supervisorFor(entry: ProcfileEntry, number: number): DynoSupervisor {
    const name = `${entry.type}.${number}`;
    const found = this.supervisors.get(name);
    if (found) return found;
    const supervisor = this.createSupervisor(entry, number, undefined);
    this.supervisors.set(name, supervisor);
    return supervisor;
  }

  private stopSurplus(supervisor: DynoSupervisor): Promise<void> {
    this.supervisors.delete(supervisor.info().name);
    this.stoppingSupervisors.add(supervisor);
    const stopped = supervisor.stop().finally(() => {
      this.stops.delete(stopped);
      this.stoppingSupervisors.delete(supervisor);
    });
    this.stops.add(stopped);
    return stopped;
  }

  /** By number. */
  private supervisorsOf(type: string): DynoSupervisor[] {
    return [...this.supervisors.values()]
      .filter((supervisor) => supervisor.info().type === type)
      .sort((a, b) => dynoNumber(a.info()) - dynoNumber(b.info()));
  }

  private selectSupervisors(target: string | undefined): DynoSupervisor[] {
    if (target === undefined) return [...this.supervisors.values()];
    const one = this.supervisors.get(target);
    if (one !== undefined) return [one];
    if (!this.entries.some((entry) => entry.type === target)) throw this.unknownDyno(target);
    return this.supervisorsOf(target);
  }

  private requireEntry(type: string): ProcfileEntry {
    const entry = this.entries.find((candidate) => candidate.type === type);
    if (entry !== undefined) return entry;
    const known = this.entries.map((candidate) => candidate.type).join(', ');
    throw new FormationError(`There is no process type "${type}"; the Procfile has ${known}.`);
  }

  private unknownDyno(target: string): FormationError {
    const known = [...this.supervisors.keys()].join(', ') || 'none';
    return new FormationError(`There is no dyno "${target}"; there are: ${known}.`);
  }
}

/** 2 for `web.2`. */
function dynoNumber({ name, type }: Pick<DynoInfo, 'name' | 'type'>): number {
  return Number(name.slice(type.length + 1));
}
