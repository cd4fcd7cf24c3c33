import type { Environment } from './config/dyno-env.ts';
import { checkedCount, defaultCounts, FormationError } from './config/formation-text.ts';
import type { ProcfileEntry } from './config/procfile.ts';
import { BOOT_TIMEOUT_MS, type DynoInfo, GRACE_MS } from './dyno.ts';
import { DynoLedger } from './dyno-ledger.ts';
import { Keeper, type KeeperSurroundings } from './keeper.ts';
import type { LineSink } from './output/line-sink.ts';
import { Ports, usualPort } from './ports.ts';

export interface FormationOptions {
  /** Their order decides about the ports. */
  entries: readonly ProcfileEntry[];
  /** Dynos wanted per process type; of a type that isn't in it, one (of `release`: none). */
  counts?: Readonly<Record<string, number>>;
  /** The whole environment of the dynos, without what is different for each (`PORT`, `DYNO`). */
  env: Environment;
  cwd: string;
  /** Default: all dynos run in `cwd`. */
  place?: KeeperSurroundings['place'];
  prelude?: string;
  drain?: (port: number) => Promise<void>;
  /** Shared with other formations on this machine. */
  ports?: Ports;
  /** Shared with other formations with the same state folder. */
  ledger?: DynoLedger;
  lines: LineSink;
  /** Foreman's `-p`: the first port of the first process type. */
  basePort?: number;
  /** From SIGTERM to SIGKILL. */
  graceMs?: number;
  /** How long a web dyno may take to listen on its port. */
  bootTimeoutMs?: number;
  /** Asks the dynos' programs for colour, although no terminal reads them. */
  color?: boolean;
  /** Where `dynos.json` is kept for `reapOrphans`; unset: not at all. */
  stateFolder?: string;
  restartDelayMs?: (crashCount: number) => number;
  /** Every change of a dyno: its state, and the coming and going of its process. */
  onChange?: (dyno: DynoInfo) => void;
}

const BASE_PORT = 5000;

/** The dynos of an app: as many of each process type as are wanted, kept running. */
export class Formation {
  readonly #entries: readonly ProcfileEntry[];
  readonly #counts: Record<string, number>;
  readonly #basePort: number;
  readonly #around: KeeperSurroundings;
  readonly #keepers = new Map<string, Keeper>();
  /** Scaled away, but not gone yet. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #leavingKeepers = new Set<Keeper>();
  #held = false;
  #running = false;

  /** @throws {FormationError} for counts of unknown types, or out of range */
  constructor(options: FormationOptions) {
    const { entries, counts = {}, stateFolder } = options;
    this.#entries = entries;
    this.#counts = defaultCounts(entries.map((entry) => entry.type));
    for (const [type, quantity] of Object.entries(counts)) {
      this.#counts[this.#entry(type).type] = checkedCount(type, quantity);
    }
    this.#basePort = options.basePort ?? BASE_PORT;
    const ledger = options.ledger ?? (stateFolder === undefined ? undefined : new DynoLedger(stateFolder));
    this.#around = {
      cwd: options.cwd,
      place: options.place,
      prelude: options.prelude,
      drain: options.drain,
      env: options.env,
      color: options.color ?? false,
      lines: options.lines,
      ports: options.ports ?? new Ports(),
      graceMs: options.graceMs ?? GRACE_MS,
      bootTimeoutMs: options.bootTimeoutMs ?? BOOT_TIMEOUT_MS,
      restartDelayMs: options.restartDelayMs,
      onChange: options.onChange ?? (() => {}),
      onLaunch: (dyno) => {
        const { pid, id, name } = dyno.info();
        if (pid !== undefined) ledger?.add(pid, id, name);
        if (this.#held) dyno.pause();
      },
      onGone: (_, pid) => {
        if (pid !== undefined) ledger?.remove(pid);
      },
    };
  }

  /** Launches all dynos. Resolves when they run; `onChange` tells when they are up. */
  async start(): Promise<void> {
    this.#running = true;
    await Promise.all(this.#entries.map((entry) => this.#adjust(entry)));
  }

  /** Stops all dynos at the same time. Resolves when every process of them is gone. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.stop()));
    await Promise.all(this.#leaving);
  }

  /** The same without asking: SIGKILL. Also while `stop()` waits. */
  async kill(): Promise<void> {
    this.#running = false;
    const all = [...this.#keepers.values(), ...this.#leavingKeepers];
    await Promise.all(all.map((keeper) => keeper.kill()));
  }

  /** In the order of the Procfile, `web.2` before `web.10`. */
  dynos(): DynoInfo[] {
    return this.#entries.flatMap((entry) => this.#keepersOf(entry.type).map((keeper) => keeper.info()));
  }

  /** How many dynos of each type are wanted. */
  counts(): Record<string, number> {
    return { ...this.#counts };
  }

  /**
   * Restarts one dyno (`web.1`), those of a type (`web`), or all, at the same time. Resolves when the new ones run.
   *
   * @throws {FormationError} if there is no such dyno or type, or the formation was stopped
   */
  async restart(target?: string): Promise<void> {
    if (!this.#running) throw new FormationError('The app is not running; start it first.');
    await Promise.all(this.#targets(target).map((keeper) => keeper.restart()));
  }

  /**
   * Changes how many dynos of a type are wanted. Resolves when new ones run and surplus ones are gone; those with the
   * highest numbers go.
   *
   * @throws {FormationError} if there is no such type, or the number is impossible
   */
  async scale(type: string, quantity: number): Promise<void> {
    const entry = this.#entry(type);
    this.#counts[type] = checkedCount(type, quantity);
    if (this.#running) await this.#adjust(entry);
  }

  /**
   * Stops one dyno, which stays down until it is restarted or scaled anew.
   *
   * @throws {FormationError} if there is no such dyno
   */
  async stopDyno(name: string): Promise<void> {
    const keeper = this.#keepers.get(name);
    if (keeper === undefined) throw this.#unknown(name);
    await keeper.stop();
  }

  /** Back-pressure: all dynos wait when they write, until `resume()`. */
  pause(): void {
    this.#hold(true);
  }

  resume(): void {
    this.#hold(false);
  }

  #hold(held: boolean): void {
    this.#held = held;
    for (const keeper of [...this.#keepers.values(), ...this.#leavingKeepers]) {
      // The first dynos that are let go may fill the buffer again at once.
      if (this.#held === held) keeper.hold(held);
    }
  }

  async #adjust(entry: ProcfileEntry): Promise<void> {
    const { type, command } = entry;
    const wanted = this.#counts[type];
    const changes: Promise<void>[] = [];
    for (const keeper of this.#keepersOf(type).slice(wanted)) changes.push(this.#dismiss(keeper));
    const typeIndex = this.#entries.indexOf(entry);
    for (let number = 1; number <= wanted; number += 1) {
      const name = `${type}.${number}`;
      let keeper = this.#keepers.get(name);
      if (keeper === undefined) {
        const post = { name, type, command, usualPort: usualPort(this.#basePort, typeIndex, number) };
        keeper = new Keeper(post, this.#around);
        this.#keepers.set(name, keeper);
      }
      changes.push(keeper.start());
    }
    await Promise.all(changes);
  }

  #dismiss(keeper: Keeper): Promise<void> {
    this.#keepers.delete(keeper.info().name);
    this.#leavingKeepers.add(keeper);
    const gone = keeper.stop().finally(() => {
      this.#leaving.delete(gone);
      this.#leavingKeepers.delete(keeper);
    });
    this.#leaving.add(gone);
    return gone;
  }

  /** By number, which is the order in which they were added. */
  #keepersOf(type: string): Keeper[] {
    return [...this.#keepers.values()].filter((keeper) => keeper.info().type === type);
  }

  #targets(target: string | undefined): Keeper[] {
    if (target === undefined) return [...this.#keepers.values()];
    const one = this.#keepers.get(target);
    if (one !== undefined) return [one];
    if (!this.#entries.some((entry) => entry.type === target)) throw this.#unknown(target);
    return this.#keepersOf(target);
  }

  #entry(type: string): ProcfileEntry {
    const entry = this.#entries.find((candidate) => candidate.type === type);
    if (entry !== undefined) return entry;
    const known = this.#entries.map((candidate) => candidate.type).join(', ');
    throw new FormationError(`There is no process type "${type}"; the Procfile has ${known}.`);
  }

  #unknown(target: string): FormationError {
    const known = [...this.#keepers.keys()].join(', ') || 'none';
    return new FormationError(`There is no dyno "${target}"; there are: ${known}.`);
  }
}
