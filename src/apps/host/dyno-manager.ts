/**
 * Runs the apps that were deployed to this server: for every app with a slug on this machine as many dynos as its
 * formation record says, also after a restart of the server.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CoalescedRun } from '../../common/coalesced-run.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import { LruCache } from '../../common/lru-cache.ts';
import { ownValue } from '../../common/own-value.ts';
import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { AUDIT_APP } from '../access/audit-log.ts';
import { hostEnvironment, PROFILE_SCRIPT, SlugFiles } from '../build/slug-files.ts';
import type { Isolation } from '../processes/bubblewrap.ts';
import type { Environment } from '../processes/config/dyno-env.ts';
import { parseDynoCount } from '../processes/config/formation-counts.ts';
import type { Dyno, DynoInfo } from '../processes/dyno.ts';
import { KeeperClient } from '../processes/keeper/keeper-client.ts';
import { DynoMeter, totalMemory } from '../processes/memory-usage.ts';
import { reapOrphans } from '../processes/orphans.ts';
import { type ChunkSink, PLATFORM_PRIORITY } from '../processes/output/line-sink.ts';
import { DynoPidFile, readPidFile } from '../processes/pid-file.ts';
import { firstPortOf, PortAllocator } from '../processes/ports.ts';
import { STOP_GRACE_MS } from '../processes/process-group.ts';
import type { AppRecord, AppRegistry } from '../records/app-registry.ts';
import { loadDynoSizes, memoryMultiplier } from '../records/dyno-sizes.ts';
import { hasFeature } from '../records/features.ts';
import { changeFormation, type FormationChange, loadFormation } from '../records/formation-record.ts';
import type { Releases } from '../records/release-history.ts';
import { isSameRelease, type ReleaseRecord } from '../records/release-record.ts';
import { type SlugRecord, slugRecordKey } from '../records/slug-record.ts';
import type { Addons } from './addons/addons.ts';
import { type CreateAddonsOptions, createAddons } from './addons/create-addons.ts';
import { addonFolder, requireServerId } from './addons/server-id.ts';
import { AppDeployment, type StuckRelease } from './app-deployment.ts';
import { AppShippers } from './app-shippers.ts';
import type { DynoRunner, DynoSummary, FormationEntry, OneOffDynoRequest } from './contract.ts';
import { errorPageUrls } from './custom-error-pages.ts';
import { DynoHandover } from './handover/dyno-handover.ts';
import { countsOf, entriesOf, type KeptFormation, releaseFingerprint } from './handover/kept-dynos.ts';
import { OneOffRunner } from './one-off/one-off-runner.ts';
import { substituteProcessType } from './one-off/process-type-command.ts';
import { adoptSlug } from './release/adopt-slug.ts';
import { ReleasePhases } from './release/release-phases.ts';
import type { Releaser } from './release/releaser.ts';
import { type ReleaseSpec, slugReleaseSpec } from './release-spec.ts';
import { removeStaleFiles } from './remove-stale-files.ts';
import { hasMemoryForBoth } from './rollout.ts';
import type { RoutingInfo, RunningApps } from './running-apps.ts';
import { MemoryMonitor } from './usage/memory-monitor.ts';
import { ProcessMonitor } from './usage/process-monitor.ts';

/** First port of the dynos of deployed apps (`tailrace start` begins at foreman's 5000), and how many servers begin apart. */
const BASE_PORT = 20_000;
const PORT_RANGES = 70;
/** A stopping dyno waits no longer than this for requests in flight: as long as it may take after SIGTERM. */
const DRAIN_TIMEOUT_MS = STOP_GRACE_MS;
/** The same when its successor can't start before, or when the server stops: requests wait, and so does systemd. */
const AWAITED_DRAIN_TIMEOUT_MS = 10_000;
/** Processes and threads of a dyno of the default size, at once: Heroku lets it have 256, and Performance-L 32,768. */
const DYNO_THREADS_MAX = 4_000;
/** Ids of removed apps that are remembered: a build that was under way asks for its app when it is done. */
const REMOVED_APPS_MAX = 10_000;

/** Of a one-off dyno, or a release command. */
const DIED_WITH_SERVER = 'The server died: this dyno has ended, and how is not known';

interface DynoManagerOptions {
  readonly store: Store;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly runningApps: RunningApps;
  /** For slugs and the state of dynos. */
  readonly folder: string;
  /** This server, to which the dynos' lines are sent, and a key for it. */
  readonly url: () => string;
  readonly key: string;
  /** Resolves when no request is in flight with the dyno on a port. */
  readonly waitForInFlight: (port: number) => Promise<void>;
  /** Where clients of attached dynos connect to. */
  readonly rendezvous: { readonly host: string; readonly port: number };
  /** What add-ons need of the rest of the server. */
  readonly addons: Pick<
    CreateAddonsOptions,
    | 'backupPolicy'
    | 'logInput'
    | 'logToApp'
    | 'onRemoved'
    | 'policy'
    | 'provisionMs'
    | 'publicUrl'
    | 'randomName'
    | 'release'
    | 'setLogDrain'
    | 'version'
  >;
  /** The isolation of dynos; undefined: none. */
  readonly isolation: Isolation | undefined;
  /** Makes the releases that it decides on itself. */
  readonly releaser: () => Releaser;
  /** Memory of a dyno of the default size, in bytes (undefined: no quota), and how often it is measured. */
  readonly memory: { readonly quota: number | undefined; readonly everyMs: number };
  /** How long dynos go on without a server; undefined: they end with it. */
  readonly handoverMs: number | undefined;
  /** What runs while the app and its add-ons still do. Never rejects. */
  readonly beforeRemoval: (app: AppRecord) => Promise<void>;
  readonly log: Log;
}

export class DynoManager implements DynoRunner {
  readonly slugFiles: SlugFiles;
  readonly ports = new PortAllocator();
  private readonly options: DynoManagerOptions;
  private readonly stateFolder: string;
  private lazyPidFile: DynoPidFile | undefined;
  readonly addons: Addons;
  readonly releasePhases: ReleasePhases;
  private readonly oneOffs: OneOffRunner;
  private readonly deployments = new Map<AppId, AppDeployment>();
  private readonly routeUpdates = new Map<AppId, CoalescedRun>();
  /** Nothing of these is started any more. What was under way when one was removed has ended long before its id is forgotten. */
  private readonly removedApps = new LruCache<AppId, true>(REMOVED_APPS_MAX);
  private readonly shippers: AppShippers;
  private readonly memoryMonitor: MemoryMonitor;
  private readonly processMonitor: ProcessMonitor;
  private readonly meter = new DynoMeter();
  private readonly keeper: KeeperClient | undefined;
  private readonly handover: DynoHandover | undefined;
  private closing = false;
  private hasLeft = false;

  constructor(options: DynoManagerOptions) {
    this.options = options;
    this.stateFolder = join(options.folder, 'host');
    this.slugFiles = new SlugFiles(this.stateFolder, options.isolation);
    this.shippers = new AppShippers({
      ...options,
      journalFolder: join(this.stateFolder, 'journal'),
      onBackpressure: (app, full) => this.deployments.get(app)?.setPaused(full),
    });
    const { handoverMs: waitMs, log } = options;
    this.keeper =
      waitMs === undefined ? undefined : new KeeperClient({ stateFolder: this.stateFolder, waitMs, log });
    this.handover =
      this.keeper &&
      new DynoHandover({
        keeper: this.keeper,
        lines: (app) => this.lineSink(app),
        adoptWorkspace: (id) => this.slugFiles.workspaceOf(id),
        log,
      });
    this.oneOffs = new OneOffRunner({
      certificateFolder: join(options.folder, 'tls'),
      listen: options.rendezvous,
      pidFile: () => this.pidFile,
      requireStaying: (app) => this.requireStaying(app),
    });
    this.releasePhases = new ReleasePhases({
      slugFiles: this.slugFiles,
      pidFile: () => this.pidFile,
      lines: (app) => this.lineSink(app),
      requireStaying: (app) => this.requireStaying(app),
    });
    this.addons = createAddons({
      ...options,
      ...options.addons,
      folder: addonFolder(options.folder),
      ports: this.ports,
      pidFile: () => this.pidFile,
      keeping: this.keeper && {
        keeper: this.keeper,
        version: options.addons.version,
        takeAddon: (id) => this.handover?.takeAddon(id),
        endAddon: async (id) => this.handover?.endAddon(id),
      },
      lines: (app) => this.lineSink(app),
    });
    const monitored = {
      ...options,
      dynos: () => this.allProcesses(),
      lines: (app: AppId) => this.lineSink(app),
    };
    this.processMonitor = new ProcessMonitor({ ...monitored, max: DYNO_THREADS_MAX });
    this.memoryMonitor = new MemoryMonitor({
      ...monitored,
      ...options.memory,
      wantSamples: () => this.addons.appsThatSampleDynos(),
    });
  }

  /**
   * Takes over the dynos that a server before has left, kills those that it couldn't leave, and starts the apps. Resolves when all are being
   * started.
   */
  async open(): Promise<void> {
    const { appRegistry, log } = this.options;
    await this.handover?.open();
    const left = readPidFile(this.stateFolder)?.dynos ?? [];
    for (const { name, pid } of await reapOrphans(this.stateFolder, undefined, this.handover?.pids()))
      log.warn({ dyno: name, pid }, 'ended a dyno that was left behind by a server that died');
    await this.slugFiles.open(this.handover?.dynoIds());
    const apps = await appRegistry.listApps();
    const ids = new Set(apps.map(({ id }) => id));
    this.shippers.recover(ids);
    for (const { name, app } of left)
      if (app !== undefined && ids.has(app as AppId))
        this.lineSink(app as AppId).writeLine('heroku', name, PLATFORM_PRIORITY, DIED_WITH_SERVER);
    await removeStaleFiles(this.options.folder, ids, await this.slugIds(apps));
    await this.options.releaser().open(apps);
    await this.addons.open();
    for (const app of apps)
      await this.deployRelease(app).catch((error: unknown) =>
        log.warn({ app: app.name, err: error }, 'an app could not be started'),
      );
    this.handover?.close();
  }

  /**
   * Stops all dynos.
   * @param tasks resolves when nobody else writes lines the dynos' way any more. Never rejects
   */
  async close(tasks = Promise.resolve()): Promise<void> {
    this.closing = true;
    this.keeper?.endWithServer();
    this.memoryMonitor.close();
    this.processMonitor.close();
    await Promise.all([
      this.oneOffs.close(),
      this.releasePhases.close(),
      ...[...this.deployments.values()].map((app) => app.stop()),
      tasks,
    ]);
    await this.addons.close();
    await this.shippers.closeAll();
    await this.keeper?.close();
  }

  /**
   * Leaves the dynos of releases to the next server, and stops the others. What they have written so far is stored.
   * @param tasks see {@link close}
   */
  async leave(tasks: Promise<void>): Promise<void> {
    if (!this.keeper) return this.close(tasks);
    this.closing = true;
    this.hasLeft = true;
    this.memoryMonitor.close();
    this.processMonitor.close();
    await Promise.all([this.oneOffs.close(), this.releasePhases.close(), this.addons.leave(), tasks]);
    for (const app of this.deployments.values()) app.leave();
    await this.shippers.closeAll();
    await this.keeper.close();
    this.pidFile.leave();
  }

  /** Kills all dynos, and lets add-ons end: for a process that ends at once. */
  async kill(): Promise<void> {
    if (this.hasLeft) return this.keeper?.endWhatIsLeft();
    this.closing = true;
    this.keeper?.endWithServer();
    this.memoryMonitor.close();
    this.processMonitor.close();
    const deployments = [...this.deployments.values()];
    await Promise.all([
      this.oneOffs.close(),
      this.releasePhases.close(),
      this.addons.close(),
      ...deployments.map((app) => app.kill()),
    ]);
  }

  // --- the API ---

  dynos(app: AppId): readonly DynoSummary[] {
    const { runningApps } = this.options;
    return [...runningApps.dynos(app), ...this.oneOffs.list(app), ...this.releasePhases.list(app)];
  }

  formation(app: AppId): readonly FormationEntry[] {
    return this.options.runningApps.formation(app);
  }

  countByState(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const app of this.options.runningApps.ids())
      for (const { state } of this.dynos(app)) counts.set(state, (counts.get(state) ?? 0) + 1);
    return counts;
  }

  isLocalApp(app: AppId): boolean {
    return this.options.runningApps.find(app)?.applyLocalRelease !== undefined;
  }

  async scale(app: AppId, decide: (current: readonly FormationEntry[]) => FormationChange): Promise<void> {
    const { deployment, applyLocalRelease } = this.options.runningApps.requireApp(app);
    await deployment.scale(async () => {
      let counts: FormationChange['counts'] = {};
      const { sizes } = await changeFormation(this.options.store, app, (stored) => {
        // A local app has its formation from the command line.
        const current = deployment
          .processes()
          .map((entry) =>
            applyLocalRelease
              ? entry
              : { ...entry, quantity: ownValue(stored, entry.type) ?? entry.quantity },
          );
        const change = decide(current);
        counts = change.counts;
        for (const [type, quantity] of Object.entries(counts)) parseDynoCount(type, quantity);
        return applyLocalRelease ? { ...change, counts: {} } : change;
      });
      this.options.log.info({ app, counts, sizes }, 'formation changed');
      return counts;
    });
  }

  async restart(app: AppId, which: string | undefined): Promise<void> {
    const isOneOff = which !== undefined && this.oneOffs.list(app).some(({ name }) => name === which);
    // A one-off dyno isn't started again.
    if (isOneOff) await this.oneOffs.stop(app, which);
    else await this.options.runningApps.requireApp(app).deployment.restart(which);
  }

  async stop(app: AppId, which: string): Promise<void> {
    if ((await this.oneOffs.stop(app, which)) > 0) return;
    if (/^release(\.1)?$/.test(which) && (await this.releasePhases.stop(app)) > 0) return;
    await this.options.runningApps.requireApp(app).deployment.stopDyno(which);
  }

  async run(record: AppRecord, request: OneOffDynoRequest): Promise<DynoSummary> {
    const { releaseSpec } = this.options.runningApps.requireApp(record.id).deployment;
    if (!releaseSpec) throw new TailraceError('unavailable', 'The app is starting: try again in a moment.');
    const command = substituteProcessType(request.command, releaseSpec.entries);
    const lines = this.lineSink(record.id);
    const dyno = await this.oneOffs.run(record.id, releaseSpec, { ...request, command }, lines);
    this.options.log.info(
      { app: record.name, dyno: dyno.name, attached: request.attach },
      'one-off dyno started',
    );
    return dyno;
  }

  async runInside(record: AppRecord, which: string, request: OneOffDynoRequest): Promise<DynoSummary> {
    const dyno = this.requireDyno(record, which);
    const { deployment } = this.options.runningApps.requireApp(record.id);
    const command = substituteProcessType(request.command, deployment.releaseSpec?.entries ?? []);
    return this.oneOffs.runInside(
      record.id,
      deployment.version,
      dyno,
      { ...request, command },
      this.lineSink(record.id),
    );
  }

  async attach(record: AppRecord, which: string): Promise<{ name: string; attachPath: string }> {
    const dyno = this.requireDyno(record, which);
    const { name } = dyno.info();
    this.options.log.info({ app: record.name, dyno: name }, 'a terminal is attached');
    return { name, attachPath: await this.oneOffs.attach(dyno) };
  }

  private requireDyno({ id, name }: AppRecord, which: string): Dyno {
    const found =
      this.options.runningApps.find(id)?.deployment.findDyno(which) ?? this.oneOffs.findDyno(id, which);
    if (found) return found;
    const all = this.dynos(id);
    const known = all.find((dyno) => dyno.name === which || dyno.id === which || dyno.type === which);
    if (known)
      throw new TailraceError('conflict', `${known.name} of ${name} doesn't run now: it is ${known.state}.`);
    const names = all.map((dyno) => dyno.name).join(', ') || 'none';
    throw new TailraceError('not_found', `${name} has no dyno "${which}"; there are: ${names}.`);
  }

  oneOff(app: AppId, name: string): DynoSummary | undefined {
    return this.oneOffs.find(app, name);
  }

  resize(app: AppId, name: string, columns: number, rows: number): boolean {
    return this.oneOffs.resize(app, name, columns, rows);
  }

  caCertificate(): Promise<string> {
    return this.oneOffs.caCertificate();
  }

  /** Rolls out an app's current release. Resolves when that has begun. */
  async deployRelease(record: AppRecord): Promise<void> {
    const { runningApps, releases } = this.options;
    if (this.closing) return;
    this.requireStaying(record.id);
    const running = runningApps.find(record.id);
    const release = await releases.current(record.id);
    this.options.log.info({ app: record.name, version: release.version }, 'release rolled out');
    await this.updateRoute(record.id);
    if (running?.applyLocalRelease) {
      this.runInBackground(
        record,
        running.applyLocalRelease({ version: release.version, config: release.config }),
      );
      return;
    }
    if (release.slug === null || !this.slugFiles.has(release.slug)) return;
    const app = this.deployments.get(record.id) ?? (await this.createDeployment(record));
    const spec = await this.releaseSpec(record.id);
    const kept = this.handover?.takeFormations(record.id) ?? [];
    const isCurrent = kept.at(-1)?.owner.fingerprint === spec.fingerprint;
    for (const formation of isCurrent ? kept.slice(0, -1) : kept)
      this.runInBackground(
        record,
        app.apply(await this.keptSpec(record.id, spec, formation), formation.dynos),
      );
    this.runInBackground(record, app.apply(spec, isCurrent ? kept.at(-1)?.dynos : []));
  }

  /** Of dynos that run already: of a release before, or of the same one that is started anew. */
  private async keptSpec(
    app: AppId,
    current: ReleaseSpec,
    { owner, dynos }: KeptFormation,
  ): Promise<ReleaseSpec> {
    const { version, fingerprint } = owner;
    const spec = await this.options.releases
      .get(app, String(version))
      .then((release) => this.specOf(app, release))
      .catch(() => undefined);
    const running = { counts: countsOf(dynos), loadCounts: undefined, successor: current };
    if (spec?.fingerprint === fingerprint) return { ...spec, ...running };
    // It was deleted: they run until the others take over, and aren't started again.
    return {
      ...current,
      version,
      fingerprint,
      entries: entriesOf(dynos),
      ...running,
      createWorkspace: () => Promise.reject(new Error(`v${version} isn't there any more`)),
    };
  }

  /**
   * The app's name, domains, maintenance or error pages have changed. They are read here, one time after the other: what a request knows
   * of them may be older than what another has changed.
   */
  updateRoute(app: AppId): Promise<void> {
    let update = this.routeUpdates.get(app);
    if (!update) {
      update = new CoalescedRun(async () => {
        const record = await this.options.appRegistry.findApp(app);
        const routing = record && (await this.routingInfo(record));
        if (routing && !this.isBeingRemoved(app)) this.options.runningApps.updateRoute(app, routing);
      });
      this.routeUpdates.set(app, update);
    }
    return update.request();
  }

  /** @throws TailraceError `conflict` for an app that is being destroyed */
  requireStaying(app: AppId): void {
    if (this.isBeingRemoved(app)) throw new TailraceError('conflict', 'This app is being destroyed.');
  }

  /** Also of one that is gone. */
  isBeingRemoved(app: AppId): boolean {
    return this.removedApps.get(app) === true;
  }

  /** Stops everything that an app runs, and deletes its files. Nothing of it is started any more, unless this fails. */
  async deleteApp(record: AppRecord): Promise<void> {
    await this.addons.rejectAppRemoval(record);
    await this.options.beforeRemoval(record);
    this.removedApps.set(record.id, true);
    try {
      await this.removeWhatRuns(record);
    } catch (error) {
      this.removedApps.delete(record.id);
      await this.updateRoute(record.id).catch(() => {});
      throw error;
    }
    this.options.log.info({ app: record.name }, 'app deleted');
  }

  private async removeWhatRuns(record: AppRecord): Promise<void> {
    await Promise.all([this.oneOffs.stop(record.id, 'run'), this.releasePhases.stop(record.id)]);
    // One that had begun is the last one.
    await this.options.releaser().ended(record.id);
    const app = this.deployments.get(record.id);
    const slugs = await this.options.store.list<SlugRecord>(record.id, slugRecordKey(''));
    if (app) {
      this.deployments.delete(record.id);
      await app.stop();
    }
    this.options.runningApps.remove(record.id);
    this.routeUpdates.delete(record.id);
    await this.addons.removeApp(record);
    await this.shippers.close(record.id);
    for (const { value } of slugs) await this.slugFiles.remove(value.id);
    for (const path of [`repositories/${record.id}.git`, `caches/${record.id}`])
      await rm(join(this.options.folder, path), { recursive: true, force: true, maxRetries: 3 });
  }

  /** Of the releases of an app that have dynos. */
  runningSlugs(app: AppId): ReadonlySet<string> {
    return this.deployments.get(app)?.slugs() ?? new Set();
  }

  /** @throws TailraceError `not_found` */
  async requireSlug(app: AppId, id: string): Promise<SlugRecord> {
    const found = await this.options.store.get<SlugRecord>(app, slugRecordKey(id));
    if (!found || !this.slugFiles.has(id)) throw new TailraceError('not_found', "Couldn't find that slug.");
    return found.value;
  }

  /** @throws TailraceError `not_found` when no app has it, `conflict` for an app that runs in its own folder */
  async adoptSlug(app: AppId, id: string): Promise<string> {
    if (this.isLocalApp(app))
      throw new TailraceError(
        'conflict',
        'This app runs in its own folder by `tailrace start`: it takes no slug of another.',
      );
    return adoptSlug({ ...this.options, slugFiles: this.slugFiles }, app, id);
  }

  // --- parts ---

  private get pidFile(): DynoPidFile {
    this.lazyPidFile ??= new DynoPidFile(this.stateFolder);
    return this.lazyPidFile;
  }

  /** Waits for requests in flight, but not forever: a WebSocket is one too. */
  readonly drainConnections = (port: number, isAwaited: boolean): Promise<void> =>
    waitWithTimeout(
      isAwaited || this.closing ? AWAITED_DRAIN_TIMEOUT_MS : DRAIN_TIMEOUT_MS,
      this.options.waitForInFlight(port),
    );

  async routingInfo({ id, name, maintenance }: AppRecord): Promise<RoutingInfo> {
    const domains = (await this.options.appRegistry.listDomains(id)).map(({ hostname }) => hostname);
    const { config, slug } = await this.options.releases.current(id);
    // What the audit stream is of isn't deployed.
    const isBlank = slug === null && name !== AUDIT_APP;
    return { name, maintenance: maintenance ?? false, domains, errorPages: errorPageUrls(config), isBlank };
  }

  /** Sends lines to an app's stream; they may come before its tokens are known. */
  lineSink(app: AppId): ChunkSink {
    return this.shippers.sink(app);
  }

  /** What tells this data folder from those of other servers on the same store. */
  get serverId(): string {
    return requireServerId(addonFolder(this.options.folder));
  }

  private async slugIds(apps: readonly AppRecord[]): Promise<Set<string>> {
    const all = apps.map(({ id }) => this.options.store.list<SlugRecord>(id, slugRecordKey('')));
    return new Set((await Promise.all(all)).flat().map(({ value }) => value.id));
  }

  private async createDeployment(record: AppRecord): Promise<AppDeployment> {
    const shipper = await this.shippers.shipperFor(record.id);
    let notifyChanged = (): void => {};
    const app: AppDeployment = new AppDeployment({
      lines: shipper,
      ports: this.ports,
      pidFile: this.pidFile,
      basePort: firstPortOf(this.stateFolder, BASE_PORT, PORT_RANGES),
      keeping: this.keeper && {
        app: record.id,
        keeper: this.keeper,
        adoptWorkspace: (id) => this.slugFiles.workspaceOf(id),
      },
      color: false,
      preboot: (dynos) => this.mayPreboot(record, dynos),
      onStuck: (stuck) => this.runInBackground(record, this.handleStuckRelease(record, stuck)),
      drainConnections: this.drainConnections,
      onChange: () => notifyChanged(),
    });
    this.deployments.set(record.id, app);
    notifyChanged = this.options.runningApps.add(
      { id: record.id, deployment: app },
      await this.routingInfo(record),
    );
    // Who changed it meanwhile found nothing to tell.
    await this.updateRoute(record.id);
    return app;
  }

  /** What runs of all apps: formations, one-off dynos, release commands. */
  private allProcesses(): Map<AppId, DynoInfo[]> {
    const all = new Map<AppId, DynoInfo[]>();
    for (const { app, dyno } of [
      ...this.options.runningApps.processes(),
      ...this.oneOffs.processes(),
      ...this.releasePhases.processes(),
    ]) {
      if (dyno.pid === undefined) continue;
      const own = all.get(app);
      if (own) own.push(dyno);
      else all.set(app, [dyno]);
    }
    return all;
  }

  /** May new web dynos start beside these? Not without the memory for both. */
  private async mayPreboot({ id, name }: AppRecord, dynos: readonly DynoInfo[]): Promise<boolean> {
    if (!(await hasFeature(this.options.store, id, 'preboot').catch(() => true))) return false;
    const measured = await this.meter.measure(dynos.filter(({ type }) => type === 'web'));
    const used = [...measured.values()].reduce((sum, one) => sum + totalMemory(one), 0);
    if (hasMemoryForBoth(process.availableMemory(), used)) return true;
    this.options.log.warn(
      { app: name, used },
      'too little memory to start new web dynos beside the old ones',
    );
    this.options.addons.logToApp(
      id,
      'There is too little memory for the new web dynos beside the old ones: the old ones stop first, and requests wait meanwhile',
    );
    return false;
  }

  /** Says what goes on, and rolls back if the app wants that. */
  private async handleStuckRelease(record: AppRecord, stuck: StuckRelease): Promise<void> {
    const { store, appRegistry, releases, log, addons, releaser } = this.options;
    const { version, servedBefore, isServed } = stuck;
    log.warn({ app: record.name, version }, 'the web dynos of a release do not come up');
    const whichServe = servedBefore === version ? 'the old dynos go on' : `v${servedBefore} goes on`;
    addons.logToApp(
      record.id,
      `The web dynos of v${version} do not come up${isServed ? `: ${whichServe} serving requests` : ''}`,
    );
    if (servedBefore === version || !(await hasFeature(store, record.id, 'auto-rollback'))) return;
    const failed = await releases.current(record.id);
    const before = await releases.get(record.id, String(servedBefore));
    // Another release is on its way, or this one is the same as the one before: it isn't the release that is at fault.
    if (failed.version !== version || isSameRelease(failed, before)) return;
    const app = await appRegistry.findApp(record.id);
    if (!app) return;
    addons.logToApp(app.id, `Rolling back to v${servedBefore}`);
    await releaser().rollBack(app, before);
  }

  private async releaseSpec(app: AppId): Promise<ReleaseSpec> {
    return this.specOf(app, await this.options.releases.current(app));
  }

  private async specOf(app: AppId, release: ReleaseRecord): Promise<ReleaseSpec> {
    const { store, isolation, memory } = this.options;
    const { slug } = release;
    const record = slug === null ? undefined : await store.get<SlugRecord>(app, slugRecordKey(slug));
    if (!record) throw new TailraceError('conflict', 'This app has no slug: deploy it first.');
    return slugReleaseSpec(release, record.value, await loadFormation(store, app), {
      loadCounts: () => loadFormation(store, app),
      env: hostEnvironment(process.env),
      cwd: this.stateFolder,
      createWorkspace: async (dynoId, type, size) => {
        const workspace = await this.slugFiles.createWorkspace(record.value.id, dynoId);
        return { ...workspace, env: { ...workspace.env, ...(await this.memoryVariables(app, type, size)) } };
      },
      profileScript: PROFILE_SCRIPT,
      fingerprint: releaseFingerprint(release, [isolation, memory.quota]),
    });
  }

  /** What a dyno's programs know of its memory, as on Heroku: `DYNO_RAM`, in MB. */
  private async memoryVariables(app: AppId, type: string, size?: string): Promise<Environment> {
    const { store, memory } = this.options;
    if (memory.quota === undefined) return {};
    const multiplier = memoryMultiplier(size ?? (await loadDynoSizes(store, app))[type]);
    return { DYNO_RAM: String(Math.floor((memory.quota * multiplier) / 1_048_576)) };
  }

  private runInBackground({ name }: AppRecord, work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.options.log.warn({ app: name, err: error }, 'the dynos of a release could not be started'),
    );
  }
}
