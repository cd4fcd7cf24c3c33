/**
 * Runs the apps that were deployed to this server: for every app with a slug on this machine as many dynos as its
 * formation record says, again after a restart of the server.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import { within } from '../../common/within.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { hostEnvironment, PROFILE, SlugFiles } from '../build/slug-files.ts';
import { checkedCount } from '../processes/config/formation-text.ts';
import { DynoLedger } from '../processes/dyno-ledger.ts';
import type { Isolation } from '../processes/isolation.ts';
import { reapOrphans } from '../processes/orphans.ts';
import type { RunSink } from '../processes/output/line-sink.ts';
import { Ports } from '../processes/ports.ts';
import type { AppRecord, Directory } from '../records/directory.ts';
import type { SizesRecord } from '../records/dyno-sizes.ts';
import { rememberedCounts, rememberFormation } from '../records/formation-record.ts';
import type { Releases } from '../records/release-history.ts';
import { type SlugRecord, slugKey } from '../records/slug-record.ts';
import { AddonPrograms } from './addons/addon-programs.ts';
import { AppLines } from './app-lines.ts';
import type { DynoRunner, DynoView, ProcessView, RunRequest } from './contract.ts';
import { type Blueprint, HostedApp } from './hosted-app.ts';
import type { Face, Hosting } from './hosting.ts';
import { removeLeftBehind } from './left-behind.ts';
import { MemoryWatch } from './memory-watch.ts';
import { OneOffs } from './one-off/one-offs.ts';
import { ownPages } from './own-pages.ts';

/** First port of the dynos of deployed apps; `tailrace start` begins at foreman's 5000. */
const BASE_PORT = 20_000;
/** A stopping dyno waits no longer than this for requests in flight. */
const DRAIN_MS = 10_000;

export interface HostOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly releases: Releases;
  readonly hosting: Hosting;
  /** Of slugs and running dynos. */
  readonly folder: string;
  /** This server, to which the dynos' lines go, and a key for it. */
  readonly url: () => string;
  readonly key: string;
  /** Resolves when no request is in flight with the dyno on a port. */
  readonly drained: (port: number) => Promise<void>;
  /** Where clients of attached dynos come to. */
  readonly rendezvous: { readonly host: string; readonly port: number };
  /** Of the dynos; undefined: none. */
  readonly isolation: Isolation | undefined;
  /** Memory of a usual dyno, in bytes (undefined: any), and how often it is measured. */
  readonly memory: { readonly quota: number | undefined; readonly everyMs: number };
  readonly warn: (fields: object, message: string) => void;
}

export class Host implements DynoRunner {
  readonly files: SlugFiles;
  readonly ports = new Ports();
  private readonly options: HostOptions;
  private readonly state: string;
  private ledgerOnce: DynoLedger | undefined;
  readonly addons: AddonPrograms;
  private readonly oneOffs: OneOffs;
  private readonly running = new Map<AppId, HostedApp>();
  private readonly shipping: AppLines;
  private readonly memory: MemoryWatch;
  private closing = false;

  constructor(options: HostOptions) {
    this.options = options;
    this.state = join(options.folder, 'host');
    this.files = new SlugFiles(this.state, options.isolation);
    this.shipping = new AppLines({
      ...options,
      onPressure: (app, full) => this.running.get(app)?.hold(full),
    });
    this.oneOffs = new OneOffs({
      certificates: join(options.folder, 'tls'),
      listen: options.rendezvous,
      ledger: () => this.ledger,
    });
    this.addons = new AddonPrograms({
      store: options.store,
      folder: join(this.state, 'addons'),
      ports: this.ports,
      ledger: () => this.ledger,
      lines: (app) => this.lines(app),
    });
    this.memory = new MemoryWatch({
      ...options,
      ...options.memory,
      dynos: () => this.options.hosting.running((app) => this.oneOffs.running(app)),
      lines: (app) => this.lines(app),
    });
  }

  /** Ends what a server that died left behind, and starts the apps again. Resolves when all are on their way. */
  async open(): Promise<void> {
    const { directory, warn } = this.options;
    for (const { name, pid } of await reapOrphans(this.state))
      warn({ dyno: name, pid }, 'ended a dyno that was left behind by a server that died');
    await this.files.open();
    const apps = await directory.apps();
    await removeLeftBehind(this.options.folder, await this.slugIds(apps));
    for (const app of apps)
      await this.start(app).catch((error: unknown) =>
        warn({ app: app.name, err: error }, 'an app could not be started'),
      );
  }

  /** Stops all dynos. */
  async close(): Promise<void> {
    this.closing = true;
    this.memory.close();
    await Promise.all([this.oneOffs.close(), ...[...this.running.values()].map((app) => app.stop())]);
    await this.addons.close();
    await this.shipping.closeAll();
  }

  // --- what the API asks ---

  dynos(app: AppId): readonly DynoView[] {
    return [...this.options.hosting.dynos(app), ...this.oneOffs.list(app)];
  }

  formation(app: AppId): readonly ProcessView[] {
    return this.options.hosting.formation(app);
  }

  runsInPlace(app: AppId): boolean {
    return this.options.hosting.find(app)?.inPlace !== undefined;
  }

  async scale(app: AppId, counts: Readonly<Record<string, number>>, sizes: SizesRecord): Promise<void> {
    const hosted = this.options.hosting.required(app);
    for (const [type, quantity] of Object.entries(counts)) checkedCount(type, quantity);
    // What runs in place has its formation from its command line.
    await rememberFormation(this.options.store, app, hosted.inPlace ? {} : counts, sizes);
    await hosted.app.scale(counts);
  }

  async restart(app: AppId, which: string | undefined): Promise<void> {
    const known = which !== undefined && this.oneOffs.list(app).some(({ name }) => name === which);
    // A one-off dyno has nothing to come back to.
    if (known) await this.oneOffs.stop(app, which);
    else await this.options.hosting.required(app).app.restart(which);
  }

  async stop(app: AppId, which: string): Promise<void> {
    if ((await this.oneOffs.stop(app, which)) > 0) return;
    await this.options.hosting.required(app).app.stopDyno(which);
  }

  async run(record: AppRecord, request: RunRequest): Promise<DynoView> {
    const { blueprint } = this.options.hosting.required(record.id).app;
    if (!blueprint) throw new TailraceError('unavailable', 'The app is starting: try again in a moment.');
    return this.oneOffs.run(record.id, blueprint, request, this.lines(record.id));
  }

  oneOff(app: AppId, name: string): DynoView | undefined {
    return this.oneOffs.find(app, name);
  }

  resize(app: AppId, name: string, columns: number, rows: number): boolean {
    return this.oneOffs.resize(app, name, columns, rows);
  }

  authority(): Promise<string> {
    return this.oneOffs.authority();
  }

  /** Makes an app's dynos those of its newest release. Resolves when they are on their way. */
  async released(record: AppRecord): Promise<void> {
    const { hosting, releases } = this.options;
    if (this.closing) return;
    const hosted = hosting.find(record.id);
    const release = await releases.current(record.id);
    hosting.show(record.id, await this.face(record));
    if (hosted?.inPlace) {
      this.inBackground(record, hosted.inPlace({ version: release.version, config: release.config }));
      return;
    }
    if (release.slug === null || !this.files.has(release.slug)) return;
    const app = this.running.get(record.id) ?? (await this.adopt(record));
    this.inBackground(record, app.apply(await this.blueprint(record.id)));
  }

  /** Its name, domains or maintenance have changed. */
  async shown(record: AppRecord): Promise<void> {
    this.options.hosting.show(record.id, await this.face(record));
  }

  /** Stops an app for good. */
  async removed(record: AppRecord): Promise<void> {
    const app = this.running.get(record.id);
    const slugs = await this.options.store.list<SlugRecord>(record.id, slugKey(''));
    await this.oneOffs.stop(record.id, 'run');
    if (app) {
      this.running.delete(record.id);
      await app.stop();
      this.options.hosting.remove(record.id);
    }
    await this.addons.removeAll(record.id);
    await this.shipping.close(record.id);
    for (const { value } of slugs) await this.files.remove(value.id);
    for (const left of [`repositories/${record.id}.git`, `caches/${record.id}`])
      await rm(join(this.options.folder, left), { recursive: true, force: true, maxRetries: 3 });
  }

  /** @throws TailraceError `not_found` */
  async slug(app: AppId, id: string): Promise<SlugRecord> {
    const found = await this.options.store.get<SlugRecord>(app, slugKey(id));
    if (!found || !this.files.has(id)) throw new TailraceError('not_found', "Couldn't find that slug.");
    return found.value;
  }

  // --- how it is done ---

  get ledger(): DynoLedger {
    this.ledgerOnce ??= new DynoLedger(this.state);
    return this.ledgerOnce;
  }

  /** Waits for requests in flight, but not for ever: a WebSocket is one too. */
  readonly drain = (port: number): Promise<void> => within(DRAIN_MS, this.options.drained(port));

  async face({ id, name, maintenance }: AppRecord): Promise<Face> {
    const domains = (await this.options.directory.domains(id)).map(({ hostname }) => hostname);
    const { config } = await this.options.releases.current(id);
    return { name, maintenance: maintenance ?? false, domains, pages: ownPages(config) };
  }

  /** An app's own lines, on their way to its stream; they may come before its tokens are known. */
  lines(app: AppId): RunSink {
    return this.shipping.sink(app);
  }

  private async slugIds(apps: readonly AppRecord[]): Promise<Set<string>> {
    const all = apps.map(({ id }) => this.options.store.list<SlugRecord>(id, slugKey('')));
    return new Set((await Promise.all(all)).flat().map(({ value }) => value.id));
  }

  private async start(record: AppRecord): Promise<void> {
    await this.addons.open(record.id);
    await this.released(record);
  }

  private async adopt(record: AppRecord): Promise<HostedApp> {
    const shipper = await this.shipping.shipper(record.id);
    let changed = (): void => {};
    const app: HostedApp = new HostedApp({
      lines: shipper,
      ports: this.ports,
      ledger: this.ledger,
      basePort: BASE_PORT,
      color: false,
      overlap: true,
      drain: this.drain,
      onChange: () => changed(),
    });
    this.running.set(record.id, app);
    changed = this.options.hosting.add({ id: record.id, app }, await this.face(record));
    return app;
  }

  private async blueprint(app: AppId): Promise<Blueprint> {
    const { store, releases } = this.options;
    const release = await releases.current(app);
    const { slug } = release;
    const record = slug === null ? undefined : await store.get<SlugRecord>(app, slugKey(slug));
    if (!record) throw new TailraceError('conflict', 'This app has no slug: deploy it first.');
    const { processTypes } = record.value;
    const entries = Object.entries(processTypes).map(([type, command], i) => ({
      type,
      command,
      line: i + 1,
    }));
    const counts = await rememberedCounts(store, app);
    return {
      version: release.version,
      entries,
      counts: Object.fromEntries(entries.map(({ type }) => [type, counts[type] ?? 0])),
      env: { ...hostEnvironment(process.env), ...release.config },
      cwd: this.state,
      place: (dynoId) => this.files.place(slug, dynoId),
      prelude: PROFILE,
    };
  }

  private inBackground({ name }: AppRecord, work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.options.warn({ app: name, err: error }, 'the dynos of a release could not be started'),
    );
  }
}
