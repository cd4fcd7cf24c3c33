/** Deploys: source archive → build → slug → release phase → release. Until the release is created, nothing has changed. */

import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { PlatformLinePriority } from '../../logs/router/platform-log.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { type BuildResult, buildApp } from '../build/build-app.ts';
import { BuildError } from '../build/steps/build-error.ts';
import type { AppRecord } from '../records/app-registry.ts';
import { Build } from '../records/build-record.ts';
import { loadBuildpacks } from '../records/buildpack-installations.ts';
import type { Releases } from '../records/release-history.ts';
import type { ReleaseRecord } from '../records/release-record.ts';
import { type SlugRecord, slugRecordKey, unusedSlugs } from '../records/slug-record.ts';
import type { Builds, ReleaseMaker } from './contract.ts';
import type { DynoManager } from './dyno-manager.ts';

/** Heroku's limit. */
const BUILD_TIMEOUT_MS = 15 * 60_000;
/** Builds, and releases with their slugs, that are kept for each app. */
const HISTORY_MAX = 20;

interface BuilderOptions {
  readonly store: Store;
  readonly releases: Releases;
  readonly dynoManager: DynoManager;
  readonly releaser: ReleaseMaker;
  /** For the caches of buildpacks. */
  readonly cacheFolder: string;
  /** What buildpacks may be fetched from. */
  readonly targetPolicy: TargetPolicy;
  readonly webUrl: (appName: string) => string;
  readonly logToApp: (app: AppId, priority: number, message: string) => void;
  readonly owner: string;
  readonly log: Log;
}

export class Builder implements Builds {
  private readonly options: BuilderOptions;
  private readonly builds = new Map<AppId, Build[]>();
  private readonly abort = new AbortController();

  constructor(options: BuilderOptions) {
    this.options = options;
    setMaxListeners(0, this.abort.signal); // one for each build
  }

  list(app: AppId): readonly Build[] {
    return this.builds.get(app) ?? [];
  }

  /**
   * Begins to build, and removes the archive afterwards.
   * @throws TailraceError `conflict` while another build of the app runs, or for a local app
   */
  begin(app: AppRecord, source: string, commit: string): Build {
    const { dynoManager, log } = this.options;
    if (dynoManager.isLocalApp(app.id))
      throw new TailraceError(
        'conflict',
        `${app.name} runs in its own folder by \`tailrace start\`: change its files there, or push to another app.`,
      );
    const all = this.builds.get(app.id) ?? [];
    if (all.some(({ status }) => status === 'pending'))
      throw new TailraceError(
        'conflict',
        `Another build of ${app.name} is in progress: try again when it is done.`,
      );
    const build = new Build(randomUUID(), commit);
    this.builds.set(app.id, [...all.slice(-HISTORY_MAX), build]);
    log.info({ app: app.name, build: build.id, commit }, 'build started');
    this.buildAndRelease(app, source, build)
      .then(() => {
        log.info({ app: app.name, build: build.id, release: build.release?.version }, 'build succeeded');
        build.finish('succeeded');
      })
      .catch((error: unknown) => {
        const known = error instanceof BuildError || error instanceof TailraceError;
        if (!known) log.warn({ app: app.name, err: error }, 'a build failed unexpectedly');
        log.info({ app: app.name, build: build.id }, 'build failed');
        const reason = known ? error.message : 'The server failed; its own log says how.';
        this.log(app, build, ` !     ${reason}`);
        this.log(app, build, ' !     Push failed');
        build.finish('failed');
      })
      .finally(() => rm(source, { force: true }));
    return build;
  }

  /** Aborts the builds that run. */
  close(): void {
    this.abort.abort();
  }

  private async buildAndRelease(app: AppRecord, source: string, build: Build): Promise<void> {
    const { store, dynoManager, releases, cacheFolder, webUrl, logToApp, owner } = this.options;
    logToApp(app.id, PlatformLinePriority.api, `Build started by user ${owner}`);
    const work = await dynoManager.slugFiles.createWorkFolder();
    try {
      const { config } = await releases.current(app.id);
      const built = await buildApp({
        source,
        work,
        cache: join(cacheFolder, app.id),
        tools: join(cacheFolder, 'tools'),
        config,
        buildpacks: await loadBuildpacks(store, app.id),
        fetchPolicy: this.options.targetPolicy,
        commit: build.commit,
        id: build.id,
        onLine: (line) => this.log(app, build, line),
        signal: AbortSignal.any([this.abort.signal, AbortSignal.timeout(BUILD_TIMEOUT_MS)]),
      });
      build.buildpack = built.buildpack;
      this.log(app, build, '-----> Compressing...');
      const slug = await this.storeSlug(app.id, built, build);
      this.log(app, build, `       Done: ${formatSize(slug.byteCount)}`);
      build.slug = slug.id;
      const release = await this.createRelease(app, slug, build);
      build.release = { id: release.id, version: release.version };
      logToApp(app.id, PlatformLinePriority.api, 'Build succeeded');
      this.log(app, build, '-----> Launching...');
      this.log(app, build, `       Released v${release.version}`);
      this.log(app, build, `       ${webUrl(app.name)} deployed to Tailrace`);
      await this.deleteOldSlugs(app.id);
    } finally {
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

  /** Slugs of old releases only take space. */
  private async deleteOldSlugs(app: AppId): Promise<void> {
    const { store, releases, dynoManager } = this.options;
    const slugs = (await store.list<SlugRecord>(app, slugRecordKey(''))).map(({ value }) => value);
    for (const { id } of unusedSlugs(slugs, await releases.list(app), HISTORY_MAX)) {
      await store.transact(app, [{ key: slugRecordKey(id), value: undefined }]);
      await dynoManager.slugFiles.remove(id);
    }
  }
}

function deployLabel({ commit, id }: Build): string {
  return (commit || id).slice(0, 8);
}

function formatSize(byteCount: number): string {
  return byteCount < 1_048_576
    ? `${Math.ceil(byteCount / 1_024)}K`
    : `${(byteCount / 1_048_576).toFixed(1)}M`;
}
