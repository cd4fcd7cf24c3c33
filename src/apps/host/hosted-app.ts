/**
 * One app whose dynos run on this machine. Every release gets a formation of its own: the new one starts, and when its
 * web dynos are up the old one ends, so that no request finds nobody. Where both would share a folder and ports
 * (`tailrace start`), the old one ends first.
 */
import { TailraceError } from '../../common/errors.ts';
import { within } from '../../common/within.ts';
import type { Upstream } from '../http-router/directory.ts';
import type { Environment } from '../processes/config/dyno-env.ts';
import type { ProcfileEntry } from '../processes/config/procfile.ts';
import type { DynoInfo } from '../processes/dyno.ts';
import type { DynoLedger } from '../processes/dyno-ledger.ts';
import { Formation } from '../processes/formation.ts';
import type { KeeperSurroundings } from '../processes/keeper.ts';
import type { LineSink } from '../processes/output/line-sink.ts';
import type { Ports } from '../processes/ports.ts';

/** What the dynos of one release are made from. */
export interface Blueprint {
  /** The release's version. */
  readonly version: number;
  readonly entries: readonly ProcfileEntry[];
  readonly counts: Readonly<Record<string, number>>;
  /** The whole environment. */
  readonly env: Environment;
  readonly cwd: string;
  readonly place?: KeeperSurroundings['place'];
  readonly prelude?: string;
}

export interface HostedAppOptions {
  readonly lines: LineSink;
  readonly ports: Ports;
  readonly ledger: DynoLedger;
  readonly basePort?: number;
  readonly color: boolean;
  /** Can an old and a new formation run at the same time? */
  readonly overlap: boolean;
  readonly drain?: (port: number) => Promise<void>;
  /** Something about the dynos has changed. */
  readonly onChange: () => void;
}

/** A release whose web dynos aren't up by then takes over anyway: what is wrong with it is in the stream. */
const TAKE_OVER_MS = 60_000;

interface Generation {
  readonly blueprint: Blueprint;
  readonly formation: Formation;
}

export class HostedApp {
  private readonly options: HostedAppOptions;
  private current: Generation | undefined;
  /** Running, but of an earlier release. */
  private readonly leaving = new Set<Formation>();
  private changed: (() => void)[] = [];
  /** Changes follow each other. */
  private last: Promise<unknown> = Promise.resolve();
  private held = false;
  private over = false;

  constructor(options: HostedAppOptions) {
    this.options = options;
  }

  /** The dynos of the current release. */
  dynos(): DynoInfo[] {
    return this.current?.formation.dynos() ?? [];
  }

  /** Those of any release that still run. */
  everyDyno(): DynoInfo[] {
    return this.formations().flatMap((formation) => formation.dynos());
  }

  /** Every web dyno that listens somewhere, of any release. */
  web(): Upstream[] {
    const formations = [...(this.current ? [this.current.formation] : []), ...this.leaving];
    return formations.flatMap((formation) => formation.dynos().filter(isListening).map(asUpstream));
  }

  /** Process types, commands, and how many are wanted, in the order of the Procfile. */
  processes(): { type: string; command: string; quantity: number }[] {
    if (!this.current) return [];
    const counts = this.current.formation.counts();
    return this.current.blueprint.entries.map(({ type, command }) => ({
      type,
      command,
      quantity: counts[type] ?? 0,
    }));
  }

  get version(): number {
    return this.current?.blueprint.version ?? 1;
  }

  /** The environment and folder of a new dyno of the current release. */
  get blueprint(): Blueprint | undefined {
    return this.current?.blueprint;
  }

  /** Makes the dynos those of another blueprint. Resolves when they have taken over. */
  apply(blueprint: Blueprint): Promise<void> {
    return this.inTurn(async () => {
      if (this.over) return;
      const old = this.current;
      if (old && !this.options.overlap) await old.formation.stop();
      const next: Generation = { blueprint, formation: this.formation(blueprint) };
      if (old && this.options.overlap) await this.replace(old, next);
      else {
        this.current = next;
        await next.formation.start();
      }
      this.tell();
    });
  }

  /** @throws FormationError for an unknown type or an impossible number */
  scale(counts: Readonly<Record<string, number>>): Promise<void> {
    return this.inTurn(async () => {
      const { formation } = this.running();
      const changes = Object.entries(counts).map(([type, quantity]) => formation.scale(type, quantity));
      this.tell();
      await Promise.all(changes);
      this.tell();
    });
  }

  /** Restarts a dyno, all of a type, or all. */
  restart(which: string | undefined): Promise<void> {
    const { blueprint } = this.running();
    if (which === undefined && this.options.overlap)
      return this.apply({ ...blueprint, counts: this.running().formation.counts() });
    return this.inTurn(() => this.running().formation.restart(which));
  }

  /** Stops a dyno, or all of a type. */
  stopDyno(which: string): Promise<void> {
    return this.inTurn(async () => {
      const { formation } = this.running();
      const ofType = formation.dynos().filter(({ type }) => type === which);
      const names = ofType.length > 0 ? ofType.map(({ name }) => name) : [which];
      await Promise.all(names.map((name) => formation.stopDyno(name)));
    });
  }

  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.formations().map((formation) => formation.stop()));
    await this.last.catch(() => {});
  }

  async kill(): Promise<void> {
    this.over = true;
    await Promise.all(this.formations().map((formation) => formation.kill()));
  }

  /** Back-pressure of whoever takes the lines. */
  hold(held: boolean): void {
    this.held = held;
    for (const formation of this.formations()) {
      if (held) formation.pause();
      else formation.resume();
    }
  }

  private async replace(old: Generation, next: Generation): Promise<void> {
    this.leaving.add(old.formation);
    this.current = next;
    await next.formation.start();
    // Two of a worker may be one too many: only those that answer requests wait for their successors.
    const others = old.blueprint.entries.filter(({ type }) => type !== 'web');
    const gone = others.map(({ type }) => old.formation.scale(type, 0));
    await this.untilWebIsReady(next.formation, old.formation);
    await Promise.all([...gone, old.formation.stop()]);
    this.leaving.delete(old.formation);
  }

  private async untilWebIsReady(formation: Formation, old: Formation): Promise<void> {
    const serves = old.dynos().some(({ type, state }) => type === 'web' && state === 'up');
    if (!serves) return;
    const deadlineMs = performance.now() + TAKE_OVER_MS;
    const starts = () => formation.dynos().some(({ type, state }) => type === 'web' && state === 'starting');
    while (!this.over && starts() && performance.now() < deadlineMs)
      await within(1_000, new Promise<void>((resolve) => this.changed.push(resolve)));
  }

  private formation(blueprint: Blueprint): Formation {
    const { lines, ports, ledger, basePort, color, drain } = this.options;
    const { entries, env, cwd, place, prelude } = blueprint;
    const types = entries.map(({ type }) => type);
    const counts = Object.fromEntries(types.map((type) => [type, blueprint.counts[type] ?? 0]));
    const formation = new Formation({
      entries,
      counts,
      env,
      cwd,
      place,
      prelude,
      drain,
      lines,
      ports,
      ledger,
      basePort,
      color,
      onChange: () => this.tell(),
    });
    if (this.held) formation.pause();
    return formation;
  }

  private formations(): Formation[] {
    return [...(this.current ? [this.current.formation] : []), ...this.leaving];
  }

  private running(): Generation {
    if (this.current) return this.current;
    throw new TailraceError('conflict', 'This app runs no dynos: deploy it first.');
  }

  private tell(): void {
    for (const wake of this.changed.splice(0)) wake();
    this.options.onChange();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work, work);
    this.last = turn.catch(() => {});
    return turn;
  }
}

function isListening(dyno: DynoInfo): dyno is DynoInfo & { port: number } {
  return dyno.type === 'web' && dyno.port !== undefined;
}

function asUpstream({ name, port, state }: DynoInfo & { port: number }): Upstream {
  return { name, port, state };
}
