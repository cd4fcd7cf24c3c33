/** Deploys: source archive → build → slug → release phase → release. Until the release is created, nothing has changed. */

import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { fileError } from '../../common/files/file-error.ts';
import type { Log } from '../../common/log.ts';
import { ticksSinceBoot } from '../../common/processes/process-identity.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { PlatformLinePriority } from '../../logs/router/platform-log.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { type BuildResult, buildApp } from '../build/build-app.ts';
import { buildVariable } from '../build/slug-files.ts';
import { BuildError } from '../build/steps/build-error.ts';
import { ProcessLimit } from '../build/steps/process-limit.ts';
import { killByVariable } from '../processes/kill-daemonized.ts';
import type { AppRecord } from '../records/app-registry.ts';
import { BUILDS_MAX, BuildHistory } from '../records/build-history.ts';
import { Build } from '../records/build-record.ts';
import { loadBuildpacks } from '../records/buildpack-installations.ts';
import type { Releases } from '../records/release-history.ts';
import type { ReleaseRecord } from '../records/release-record.ts';
import { type SlugRecord, slugRecordKey } from '../records/slug-record.ts';
import type { Builds, ReleaseMaker } from './contract.ts';
import type { DynoManager } from './dyno-manager.ts';
import { deleteSlug } from './release/delete-slug.ts';
import { SHARED_CACHE } from './remove-stale-files.ts';
import type { AppSetup } from './setup/app-setup.ts';

/** Heroku's limit. */
const BUILD_TIMEOUT_MS = 15 * 60_000;
/** Of one build, at once: what compiles on a hundred processors has some hundred. */
const BUILD_PROCESSES_MAX = 2_000;
interface BuilderOptions {
  readonly store: Store;
  readonly releases: Releases;
  readonly dynoManager: DynoManager;
  readonly releaser: ReleaseMaker;
  readonly appSetup: AppSetup;
  /** For the caches of buildpacks. */
  readonly cacheFolder: string;
  /** For what builds said. */
  readonly outputFolder: string;
  /** What buildpacks may be fetched from. */
  readonly targetPolicy: TargetPolicy;
  readonly webUrl: (appName: string) => string;
  readonly logToApp: (app: AppId, priority: number, message: string) => void;
  readonly owner: string;
  readonly log: Log;
}

export class Builder implements Builds {
  private readonly options: BuilderOptions;
  /** Of the apps that somebody has asked for. */
  private readonly builds = new Map<AppId, Promise<Build[]>>();
  private readonly history: BuildHistory;
  private readonly abort = new AbortController();
  /** Those that run, with what is kept of them. */
  private readonly running = new Set<Promise<void>>();

  constructor(options: BuilderOptions) {
    this.options = options;
    this.history = new BuildHistory({
      store: options.store,
      folder: options.outputFolder,
      server: () => options.dynoManager.serverId,
    });
    setMaxListeners(0, this.abort.signal); // one for each build
  }

  list(app: AppId): Promise<readonly Build[]> {
    return this.buildsOf(app);
  }

  /**
   * Begins to build, and removes the archive afterwards, or when it can't.
   * @throws TailraceError `conflict` while another build of the app runs, or for a local app
   */
  async begin(app: AppRecord, source: string, commit: string): Promise<Build> {
    try {
      return await this.beginOne(app, source, commit);
    } catch (error) {
      await rm(source, { force: true });
      throw error;
    }
  }

  private async beginOne(app: AppRecord, source: string, commit: string): Promise<Build> {
    const { dynoManager, log } = this.options;
    if (dynoManager.isLocalApp(app.id))
      throw new TailraceError(
        'conflict',
        `${app.name} runs in its own folder by \`tailrace start\`: change its files there, or push to another app.`,
      );
    dynoManager.requireStaying(app.id);
    const all = await this.buildsOf(app.id);
    requireNoBuild(app, all);
    const build = new Build(randomUUID(), commit);
    const stale = all.splice(0, all.length - BUILDS_MAX + 1);
    all.push(build);
    log.info({ app: app.name, build: build.id, commit }, 'build started');
    const work = this.keep(app, build, stale)
      .then(() => this.buildAndRelease(app, source, build))
      .then(() => {
        log.info({ app: app.name, build: build.id, release: build.release?.version }, 'build succeeded');
        return this.finish(app, build, 'succeeded');
      })
      .catch((thrown: unknown) => {
        const error = fileError(thrown);
        const { aborted: isCanceled } = build.canceled;
        const known = isCanceled || error instanceof BuildError || error instanceof TailraceError;
        if (!known) log.warn({ app: app.name, err: error }, 'a build failed unexpectedly');
        log.info({ app: app.name, build: build.id }, 'build failed');
        this.log(app, build, ` !     ${describeFailure(error, known, isCanceled)}`);
        this.log(app, build, ' !     Push failed');
        return this.finish(app, build, 'failed');
      })
      .finally(() => rm(source, { force: true }));
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
    return build;
  }

  async deleteApp(app: AppId): Promise<void> {
    const all = await this.buildsOf(app);
    for (const build of all.filter(({ status }) => status === 'pending'))
      try {
        build.cancel();
      } catch {
        // It is being released: what it runs ends with the app.
      }
    all.length = 0;
    this.builds.delete(app);
    await this.history.removeAll(app);
  }

  async purgeCache(app: AppRecord): Promise<void> {
    requireNoBuild(app, await this.buildsOf(app.id));
    const cache = join(this.options.cacheFolder, app.id);
    const purged = `${cache}.${randomUUID()}`;
    // A build that begins meanwhile begins with none.
    await rename(cache, purged).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw fileError(error);
    });
    await rm(purged, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Writes down that it has begun, and forgets the oldest. */
  private async keep(app: AppRecord, build: Build, stale: readonly Build[]): Promise<void> {
    await this.history.save(app.id, build);
    for (const old of stale) await this.history.remove(app.id, old);
  }

  private async finish(app: AppRecord, build: Build, status: 'succeeded' | 'failed'): Promise<void> {
    build.finish(status);
    try {
      // Of an app that was destroyed meanwhile nothing is kept.
      if ((await this.builds.get(app.id))?.includes(build)) await this.history.save(app.id, build);
    } catch (error) {
      this.options.log.warn(
        { app: app.name, build: build.id, err: error },
        'what a build said could not be kept',
      );
    }
  }

  private buildsOf(app: AppId): Promise<Build[]> {
    const known = this.builds.get(app);
    if (known) return known;
    const loaded = this.history.load(app);
    this.builds.set(app, loaded);
    loaded.catch(() => this.builds.delete(app)); // the store may be there at the next attempt
    return loaded;
  }

  /** Resolves when none runs. */
  async ended(): Promise<void> {
    await Promise.all(this.running);
  }

  /** Aborts the builds that run. */
  close(): void {
    this.abort.abort(
      new BuildError('The server is stopping: nothing was released. Push again when it is back.'),
    );
  }

  private async buildAndRelease(app: AppRecord, source: string, build: Build): Promise<void> {
    const { store, dynoManager, cacheFolder, webUrl, logToApp, owner } = this.options;
    logToApp(app.id, PlatformLinePriority.api, `Build started by user ${owner}`);
    const sinceTicks = ticksSinceBoot();
    const work = await dynoManager.slugFiles.createWorkFolder(build.id);
    const processLimit = new ProcessLimit({
      variable: buildVariable(build.id),
      sinceTicks,
      max: BUILD_PROCESSES_MAX,
    });
    try {
      const built = await buildApp({
        source,
        work,
        cache: join(cacheFolder, app.id),
        tools: join(cacheFolder, SHARED_CACHE),
        prepare: (folder) =>
          this.options.appSetup.prepareFirstDeploy(app, folder, (line) => this.log(app, build, line)),
        buildpacks: await loadBuildpacks(store, app.id),
        fetchPolicy: this.options.targetPolicy,
        commit: build.commit,
        id: build.id,
        onLine: (line) => this.log(app, build, line),
        signal: AbortSignal.any([
          build.canceled,
          this.abort.signal,
          processLimit.signal,
          AbortSignal.timeout(BUILD_TIMEOUT_MS),
        ]),
      }).finally(() => processLimit.close());
      build.buildpack = built.buildpack;
      this.log(app, build, '-----> Compressing...');
      const slug = await this.storeSlug(app.id, built, build);
      if (!build.beginRelease()) {
        await this.deleteSlug(app.id, slug);
        throw new BuildError('The build was canceled.');
      }
      this.log(app, build, `       Done: ${formatSize(slug.byteCount)}`);
      build.slug = slug.id;
      const release = await this.createRelease(app, slug, build).catch(async (error: unknown) => {
        // Nobody else removes it: a release that failed can be tried again, but not of an app that is gone.
        if (dynoManager.isBeingRemoved(app.id)) await this.deleteSlug(app.id, slug);
        throw error;
      });
      build.release = { id: release.id, version: release.version };
      logToApp(app.id, PlatformLinePriority.api, 'Build succeeded');
      await this.options.appSetup.runPostdeploy(app, release, (line) => this.log(app, build, line));
      this.log(app, build, '-----> Launching...');
      this.log(app, build, `       Released v${release.version}`);
      this.log(app, build, `       ${webUrl(app.name)} deployed to Tailrace`);
    } finally {
      await killByVariable(buildVariable(build.id), sinceTicks);
      await rm(work, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  private async storeSlug(app: AppId, built: BuildResult, build: Build): Promise<SlugRecord> {
    const { store, dynoManager } = this.options;
    const id = randomUUID();
    const byteCount = await dynoManager.slugFiles.pack(id, built.folder);
    const record: SlugRecord = {
      id,
      processTypes: built.processTypes,
      byteCount,
      commit: build.commit,
      buildpack: built.buildpack,
      createdAt: new Date().toISOString(),
    };
    await store.transact(app, [{ key: slugRecordKey(id), value: record, ifVersion: 0 }]);
    return record;
  }

  /** Makes the release, and rolls it out. @throws TailraceError when its release command fails */
  private createRelease(app: AppRecord, slug: SlugRecord, build: Build): Promise<ReleaseRecord> {
    const description = `Deploy ${deployLabel(build)}`;
    return this.options.releaser.release(app, () => ({ description, slug: slug.id }), {
      onPhase: () => this.log(app, build, '-----> Release command: running'),
      onLine: (line) => build.appendOutput(`       ${line}`),
    });
  }

  private log(app: AppRecord, build: Build, line: string): void {
    build.appendOutput(line);
    this.options.dynoManager.lineSink(app.id).writeLine('app', 'build', PlatformLinePriority.api, line);
  }

  private async deleteSlug(app: AppId, { id }: SlugRecord): Promise<void> {
    const { store, dynoManager } = this.options;
    await deleteSlug(store, dynoManager.slugFiles, app, id);
  }
}

/** @throws TailraceError `conflict` */
function requireNoBuild({ name }: AppRecord, builds: readonly Build[]): void {
  if (builds.some(({ status }) => status === 'pending'))
    throw new TailraceError(
      'conflict',
      `Another build of ${name} is in progress: try again when it is done.`,
    );
}

function describeFailure(error: unknown, isKnown: boolean, isCanceled: boolean): string {
  if (isCanceled) return 'The build was canceled: nothing was released.';
  return isKnown && error instanceof Error ? error.message : 'The server failed; its own log says how.';
}

function deployLabel({ commit, id }: Build): string {
  return (commit || id).slice(0, 8);
}

function formatSize(byteCount: number): string {
  return byteCount < 1_048_576
    ? `${Math.ceil(byteCount / 1_024)}K`
    : `${(byteCount / 1_048_576).toFixed(1)}M`;
}
