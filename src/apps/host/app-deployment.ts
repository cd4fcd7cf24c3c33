/**
 * The dynos of one app on this machine. Every release gets a formation of its own: the new one starts, and when its web
 * dynos are up the old one stops, so that there is always a dyno to serve requests. If they never come up, the old one goes on
 * serving until another release takes over. Where both would share a folder and ports (`tailrace start`), or the memory isn't
 * enough for both, the old one stops first.
 */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';
import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { Upstream } from '../http-router/app-lookup.ts';
import type { AdoptedDyno, Dyno, DynoInfo, PartialLineListener } from '../processes/dyno.ts';
import { Formation, type FormationOptions } from '../processes/formation.ts';
import type { KeeperClient } from '../processes/keeper/keeper-client.ts';
import type { LineSink } from '../processes/output/line-sink.ts';
import type { DynoPidFile } from '../processes/pid-file.ts';
import type { PortAllocator } from '../processes/ports.ts';
import type { Workspace } from '../processes/supervisor.ts';
import type { DynoOwner } from './handover/kept-dynos.ts';
import type { ReleaseSpec } from './release-spec.ts';
import { formationCounts, isServing, rolloutStep, typesStoppedAtOnce } from './rollout.ts';

export interface AppDeploymentOptions {
  readonly lines: LineSink;
  readonly ports: PortAllocator;
  readonly pidFile: DynoPidFile;
  readonly basePort?: number;
  readonly color: boolean;
  /** Keeps the dynos of releases that have a fingerprint while the server is restarted. */
  readonly keeping?: {
    readonly app: AppId;
    readonly keeper: KeeperClient;
    adoptWorkspace(id: string): Workspace;
  };
  /**
   * Do the dynos of a new release start beside these? Rejects never. Unset: they can't, since all run in the same folder.
   */
  readonly preboot?: (running: readonly DynoInfo[]) => Promise<boolean>;
  /** The web dynos of a release don't come up; `serving` is the one before, which did. Called once for a release at most. */
  readonly onStuck?: (stuck: StuckRelease) => void;
  /** Waits until a dyno has no requests any more. @param isAwaited briefly, since somebody waits for its end */
  readonly drainConnections?: (port: number, isAwaited: boolean) => Promise<void>;
  /** A dyno has changed: its state, or its process. */
  readonly onChange: () => void;
  /** For whoever watches a terminal. */
  readonly onPartialLine?: PartialLineListener;
}

/** What is asked of the dynos of one release. */
export type ReleaseFormation = Pick<
  Formation,
  | 'prepare'
  | 'start'
  | 'stop'
  | 'kill'
  | 'leave'
  | 'restart'
  | 'scale'
  | 'stopDyno'
  | 'pause'
  | 'resume'
  | 'dynos'
  | 'counts'
  | 'findDyno'
>;

interface RunningRelease {
  readonly spec: ReleaseSpec;
  readonly formation: ReleaseFormation;
}

/** A release that doesn't come up. */
export interface StuckRelease {
  readonly version: number;
  /** The version before it. */
  readonly servedBefore: number;
  /** Does that one go on serving? */
  readonly isServed: boolean;
}

/** The dynos of a release are about to take over from those of another. */
interface Rollout {
  readonly old: RunningRelease;
  readonly next: RunningRelease;
  /** Do the old dynos run until the new ones are up? */
  readonly overlaps: boolean;
  /** Another release came meanwhile. */
  superseded: boolean;
}

/** What is left to do when the dynos of a release have started. The next change doesn't wait for it. */
interface BegunRelease {
  readonly rollout?: Rollout;
  /** The old ones, which served nothing, stop. */
  readonly ending?: Promise<unknown>;
}

/** All dynos are to be replaced, when those who came before are done. Whoever comes meanwhile comes along: only the last release counts. */
interface Replacement {
  /** Undefined: they are only restarted. */
  spec: ReleaseSpec | undefined;
  done: Promise<void>;
}

export class AppDeployment {
  private readonly options: AppDeploymentOptions;
  private readonly makeFormation: (options: FormationOptions) => ReleaseFormation;
  private current: RunningRelease | undefined;
  /** Formations of earlier releases that still run, with their slugs. */
  private readonly draining = new Map<ReleaseFormation, string | undefined>();
  private rollout: Rollout | undefined;
  /** One that waits for its turn. */
  private replacement: Replacement | undefined;
  /** What is about to take the current one's place. */
  private beginning: ReleaseSpec | undefined;
  /** The old dynos stop first, and nothing starts before they have. */
  private isReplacing = false;
  private changeWaiters: (() => void)[] = [];
  /** Changes are made one at a time. */
  private lastChange: Promise<unknown> = Promise.resolve();
  private paused = false;
  private stopped = false;

  /** @param makeFormation makes the dynos of a release; they don't run before they are started */
  constructor(
    options: AppDeploymentOptions,
    makeFormation: (options: FormationOptions) => ReleaseFormation = (of) => new Formation(of),
  ) {
    this.options = options;
    this.makeFormation = makeFormation;
  }

  /** The dynos of the current release. */
  dynos(): DynoInfo[] {
    return this.current?.formation.dynos() ?? [];
  }

  /** A dyno that runs, by its name, id or type; of the current release if there are several. */
  findDyno(which: string): Dyno | undefined {
    for (const formation of this.formations()) {
      const found = formation.findDyno(which);
      if (found) return found;
    }
    return undefined;
  }

  /** The dynos of all releases that still run. */
  allDynos(): DynoInfo[] {
    return this.formations().flatMap((formation) => formation.dynos());
  }

  /** Every web dyno that has a port, of any release; of earlier ones those that are still in service. */
  webUpstreams(): Upstream[] {
    const current = this.dynos();
    const earlier = [...this.draining.keys()].flatMap((formation) => formation.dynos());
    return [...current, ...earlier.filter(({ state }) => state !== 'down')]
      .filter(isListening)
      .map(toUpstream);
  }

  /** Process types, commands and desired quantities, in the order of the Procfile. */
  processes(): { type: string; command: string; quantity: number }[] {
    const spec = this.releaseSpec;
    if (!spec) return [];
    // What others have made of it since the release was made.
    const running = this.current?.spec.successor?.counts ?? this.current?.formation.counts() ?? {};
    return spec.entries.map(({ type, command }) => ({
      type,
      command,
      quantity: ownValue(running, type) ?? spec.counts[type] ?? 0,
    }));
  }

  /** Of the release whose dynos run, or are about to; 1 before the first. */
  get version(): number {
    return this.current?.spec.version ?? 1;
  }

  /** The slugs of the releases whose dynos run: those that crash are started from them again. */
  slugs(): ReadonlySet<string> {
    return new Set([this.current?.spec.slug, ...this.draining.values()].flatMap((slug) => slug ?? []));
  }

  /** Of the release that counts, though its dynos may not have taken over yet; undefined before the first. */
  get releaseSpec(): ReleaseSpec | undefined {
    const current = this.current?.spec;
    return this.replacement?.spec ?? this.beginning ?? current?.successor ?? current;
  }

  /**
   * Replaces the dynos by those of another release. Resolves when they have taken over, or another release takes their place.
   * Rejects if they can't be started.
   * @param adopted those of its dynos that run already, since an earlier server
   */
  async apply(spec: ReleaseSpec, adopted: readonly AdoptedDyno[] = []): Promise<void> {
    if (adopted.length === 0) return this.replaceDynos(spec);
    await this.finish(await this.serialize(() => this.begin(spec, adopted)));
  }

  /**
   * @param decide how many, when it is their turn; what it throws refuses it
   * @throws FormationError for an unknown type or an impossible number
   */
  scale(decide: () => Promise<Readonly<Record<string, number>>>): Promise<void> {
    return this.changeFormation(async (formation) =>
      Object.entries(await decide()).map(([type, quantity]) => formation.scale(type, quantity)),
    );
  }

  /** Restarts a dyno, all of a type, or all. */
  restart(which: string | undefined): Promise<void> {
    this.requireCurrent();
    if (which === undefined && this.options.preboot !== undefined) return this.replaceDynos(undefined);
    return this.changeFormation(async (formation) => [formation.restart(which)]);
  }

  /** Stops a dyno, or all of a type. */
  stopDyno(which: string): Promise<void> {
    return this.changeFormation(async (formation) => {
      const ofType = formation.dynos().filter(({ type }) => type === which);
      const names = ofType.length > 0 ? ofType.map(({ name }) => name) : [which];
      return names.map((name) => formation.stopDyno(name));
    });
  }

  /** Ends all dynos, those of earlier releases too, as their grace allows. Nothing starts any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.formations().map((formation) => formation.stop()));
    await this.lastChange.catch(() => {});
  }

  /** As {@link stop}, without a grace. */
  async kill(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.formations().map((formation) => formation.kill()));
  }

  /** Leaves all dynos to the next server, running. */
  leave(): void {
    this.stopped = true;
    for (const formation of this.formations()) formation.leave();
  }

  /** Backpressure of the shipper: all dynos pause, or may go on. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    for (const formation of this.formations()) {
      if (paused) formation.pause();
      else formation.resume();
    }
  }

  /** What is begun in turn ends whenever it does: a dyno may take half a minute, and the next change doesn't wait for that. */
  private async changeFormation(
    begin: (formation: ReleaseFormation) => Promise<Promise<void>[]>,
  ): Promise<void> {
    const { changes } = await this.serialize(async () => {
      const begun = await begin(this.requireCurrent().formation);
      this.notifyChanged();
      return { changes: Promise.all(begun) };
    });
    await changes;
    this.notifyChanged();
  }

  /** @param spec undefined: of the release that is current then */
  private replaceDynos(spec: ReleaseSpec | undefined): Promise<void> {
    const { replacement } = this;
    if (replacement) {
      replacement.spec = spec ?? replacement.spec;
      return replacement.done;
    }
    const next: Replacement = { spec, done: Promise.resolve() };
    this.replacement = next;
    next.done = this.replaceInTurn(next);
    return next.done;
  }

  private async replaceInTurn(next: Replacement): Promise<void> {
    await this.finish(await this.serialize(() => this.beginReplacement(next)));
  }

  private async beginReplacement({ spec }: Replacement): Promise<BegunRelease> {
    this.replacement = undefined;
    this.beginning = spec;
    try {
      // A release counts already; a restart can as well be refused.
      return await (spec ? this.begin(spec) : this.begin(this.currentSpec(), [], true));
    } finally {
      this.beginning = undefined;
    }
  }

  /** With as many dynos as are wanted now. */
  private currentSpec(): ReleaseSpec {
    const { spec, formation } = this.requireCurrent();
    return { ...spec, counts: formation.counts(), loadCounts: undefined };
  }

  /** @param preparesFirst rejects, and nothing has changed, when the files of its dynos can't be had */
  private async begin(
    spec: ReleaseSpec,
    adopted: readonly AdoptedDyno[] = [],
    preparesFirst = false,
  ): Promise<BegunRelease> {
    const counts = (await spec.loadCounts?.().catch(() => undefined)) ?? spec.counts;
    const next: RunningRelease = { spec, formation: this.createFormation({ ...spec, counts }, adopted) };
    if (preparesFirst) await next.formation.prepare();
    if (this.stopped) return {};
    const old = this.abandonRollout() ?? this.current;
    if (!old) {
      this.current = next;
      await next.formation.start();
      this.notifyChanged();
      return {};
    }
    const wasServing = isServing(old.formation.dynos());
    const overlaps = adopted.length > 0 || ((await this.options.preboot?.(old.formation.dynos())) ?? false);
    this.draining.set(old.formation, old.spec.slug);
    this.current = next;
    if (!overlaps) {
      this.isReplacing = true;
      await this.stopDraining(old.formation).finally(() => {
        this.isReplacing = false;
      });
    }
    if (this.stopped) return {};
    await next.formation.start();
    let ending: Promise<unknown> | undefined;
    if (overlaps) {
      const stopped = typesStoppedAtOnce(old.spec.entries).map((type) => old.formation.scale(type, 0));
      if (!wasServing) ending = Promise.all([...stopped, this.stopDraining(old.formation)]);
    }
    this.notifyChanged();
    if (!wasServing || !this.options.preboot) return { ending };
    this.rollout = { old, next, overlaps, superseded: false };
    return { rollout: this.rollout };
  }

  private async finish({ rollout, ending }: BegunRelease): Promise<void> {
    if (rollout) await this.finishRollout(rollout);
    await ending;
  }

  /** Waits until the new web dynos are up. However long that takes: there are old ones that serve, or nothing to lose. */
  private async finishRollout(rollout: Rollout): Promise<void> {
    const { old, next, overlaps } = rollout;
    const startMs = performance.now();
    let isStuck = false;
    for (;;) {
      if (this.stopped || rollout.superseded) return;
      const step = rolloutStep(next.formation.dynos(), performance.now() - startMs);
      if (step === 'take over') break;
      if (step === 'stuck' && !isStuck) {
        isStuck = true;
        this.options.onStuck?.({
          version: next.spec.version,
          servedBefore: old.spec.version,
          isServed: overlaps,
        });
      }
      await waitWithTimeout(1_000, new Promise<void>((resolve) => this.changeWaiters.push(resolve)));
    }
    this.rollout = undefined;
    if (overlaps) await this.stopDraining(old.formation);
    this.notifyChanged();
  }

  /** Ends a rollout under way. @returns the release that serves, if the new one was to take over from it */
  private abandonRollout(): RunningRelease | undefined {
    const { rollout } = this;
    this.rollout = undefined;
    if (!rollout) return undefined;
    rollout.superseded = true;
    this.notifyChanged();
    if (!rollout.overlaps) return undefined;
    const { formation, spec } = rollout.next;
    this.draining.set(formation, spec.slug);
    void this.stopDraining(formation);
    return rollout.old;
  }

  private async stopDraining(formation: ReleaseFormation): Promise<void> {
    await formation.stop();
    this.draining.delete(formation);
  }

  private createFormation(spec: ReleaseSpec, adopted: readonly AdoptedDyno[]): ReleaseFormation {
    const { lines, ports, pidFile, basePort, color, drainConnections, keeping } = this.options;
    const { entries, env, cwd, createWorkspace, profileScript, version, fingerprint } = spec;
    const owner: DynoOwner | undefined =
      keeping && fingerprint !== undefined
        ? // Those that are adopted have it as their owner, also when this server is killed before it changes anything.
          ((adopted[0]?.note.owner as DynoOwner | undefined) ?? {
            kind: 'formation',
            app: keeping.app,
            version,
            fingerprint,
            formation: randomUUID(),
            since: Date.now(),
          })
        : undefined;
    const formation = this.makeFormation({
      entries,
      counts: formationCounts(entries, spec.counts),
      env,
      cwd,
      createWorkspace,
      adoptWorkspace: keeping?.adoptWorkspace,
      keeper: owner && keeping?.keeper,
      owner,
      adopted,
      profileScript,
      drainConnections: drainConnections && ((port) => drainConnections(port, this.isAwaited(port))),
      lines,
      ports,
      pidFile,
      basePort,
      color,
      onChange: () => this.notifyChanged(),
      onPartialLine: this.options.onPartialLine,
    });
    if (this.paused) formation.pause();
    return formation;
  }

  /** Do requests wait for the successor of a dyno that leaves service, or somebody for the end of all? */
  private isAwaited(port: number): boolean {
    if (this.stopped) return true;
    if (this.webUpstreams().some((other) => other.state === 'up' && other.port !== port)) return false;
    const leaving = this.allDynos().find((dyno) => dyno.port === port);
    return this.isReplacing || leaving?.state === 'starting';
  }

  private formations(): ReleaseFormation[] {
    return [...(this.current ? [this.current.formation] : []), ...this.draining.keys()];
  }

  private requireCurrent(): RunningRelease {
    if (this.current) return this.current;
    throw new TailraceError('conflict', 'This app runs no dynos: deploy it first.');
  }

  private notifyChanged(): void {
    for (const wake of this.changeWaiters.splice(0)) wake();
    this.options.onChange();
  }

  private serialize<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.lastChange.then(work, work);
    this.lastChange = turn.catch(() => {});
    return turn;
  }
}

function isListening(dyno: DynoInfo): dyno is DynoInfo & { port: number } {
  return dyno.type === 'web' && dyno.port !== undefined;
}

function toUpstream({ name, port, state }: DynoInfo & { port: number }): Upstream {
  return { name, port, state };
}
