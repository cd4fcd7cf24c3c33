/** Deploys: source archive → build → slug → release phase → release. Until the release is made, nothing has changed. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import { Priority } from '../../logs/router/announcer.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { type Built, buildApp } from '../build/build.ts';
import { BuildError } from '../build/buildpack.ts';
import { hostEnvironment, PROFILE } from '../build/slug-files.ts';
import { dynoEnv } from '../processes/config/dyno-env.ts';
import { Dyno } from '../processes/dyno.ts';
import { Build } from '../records/build-record.ts';
import type { AppRecord } from '../records/directory.ts';
import type { ReleaseRecord, Releases } from '../records/release-history.ts';
import { type SlugRecord, slugKey } from '../records/slug-record.ts';
import type { Builds } from './contract.ts';
import type { Host } from './host.ts';

/** Heroku's limit. */
const BUILD_MS = 15 * 60_000;
/** Builds of an app that can be looked at. */
const REMEMBERED = 20;

export interface BuilderOptions {
  readonly store: Store;
  readonly releases: Releases;
  readonly host: Host;
  /** What buildpacks keep. */
  readonly caches: string;
  readonly webUrl: (appName: string) => string;
  readonly announce: (app: AppId, priority: number, message: string) => void;
  readonly owner: string;
  readonly warn: (fields: object, message: string) => void;
}

export class Builder implements Builds {
  private readonly options: BuilderOptions;
  private readonly builds = new Map<AppId, Build[]>();
  private readonly abort = new AbortController();

  constructor(options: BuilderOptions) {
    this.options = options;
  }

  list(app: AppId): readonly Build[] {
    return this.builds.get(app) ?? [];
  }

  /**
   * Begins to build, and removes the archive in the end.
   * @throws TailraceError `conflict` while another build of the app runs, or when the app runs in place
   */
  begin(app: AppRecord, source: string, commit: string): Build {
    const { host, warn } = this.options;
    if (host.runsInPlace(app.id))
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
    this.builds.set(app.id, [...all.slice(-REMEMBERED), build]);
    this.run(app, source, build)
      .then(() => build.end('succeeded'))
      .catch((error: unknown) => {
        const known = error instanceof BuildError || error instanceof TailraceError;
        if (!known) warn({ app: app.name, err: error }, 'a build failed unexpectedly');
        const why = known ? error.message : 'The server failed; its own log says how.';
        this.say(app, build, ` !     ${why}`);
        this.say(app, build, ' !     Push failed');
        build.end('failed');
      })
      .finally(() => rm(source, { force: true }));
    return build;
  }

  /** Ends the builds that run. */
  close(): void {
    this.abort.abort();
  }

  private async run(app: AppRecord, source: string, build: Build): Promise<void> {
    const { host, releases, caches, webUrl, announce, owner } = this.options;
    announce(app.id, Priority.api, `Build started by user ${owner}`);
    const work = await host.files.workFolder();
    try {
      const { config } = await releases.current(app.id);
      const built = await buildApp({
        source,
        work,
        cache: join(caches, app.id),
        config,
        commit: build.commit,
        onLine: (line) => this.say(app, build, line),
        signal: AbortSignal.any([this.abort.signal, AbortSignal.timeout(BUILD_MS)]),
      });
      build.buildpack = built.buildpack;
      this.say(app, build, '-----> Compressing...');
      const slug = await this.keep(app.id, built, build);
      this.say(app, build, `       Done: ${size(slug.byteCount)}`);
      build.slug = slug.id;
      const release = await this.release(app, slug, build);
      build.release = { id: release.id, version: release.version };
      announce(app.id, Priority.api, `Deploy ${describe(build)} by user ${owner}`);
      announce(app.id, Priority.api, `Release v${release.version} created by user ${owner}`);
      await host.released(app);
      announce(app.id, Priority.api, 'Build succeeded');
      this.say(app, build, '-----> Launching...');
      this.say(app, build, `       Released v${release.version}`);
      this.say(app, build, `       ${webUrl(app.name)} deployed to Tailrace`);
      await this.forgetOld(app.id);
    } finally {
      await rm(work, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  private async keep(app: AppId, built: Built, build: Build): Promise<SlugRecord> {
    const { store, host } = this.options;
    const id = randomUUID();
    const byteCount = await host.files.pack(id, built.folder);
    const record: SlugRecord = {
      id,
      processTypes: built.processTypes,
      byteCount,
      commit: build.commit,
      buildpack: built.buildpack,
      createdAt: new Date().toISOString(),
    };
    await store.transact(app, [{ key: slugKey(id), value: record, ifVersion: 0 }]);
    return record;
  }

  /** Runs the `release` process type, if there is one, and makes the release. @throws BuildError when that fails */
  private async release(app: AppRecord, slug: SlugRecord, build: Build): Promise<ReleaseRecord> {
    const { releases } = this.options;
    const description = `Deploy ${describe(build)}`;
    const command = slug.processTypes.release;
    if (command !== undefined) {
      this.say(app, build, '-----> Release command: running');
      const status = await this.runRelease(app, slug, command, build);
      if (status !== 0) {
        await releases.add(app.id, () => ({ description, slug: slug.id, status: 'failed' }));
        throw new BuildError(
          `The release command failed (status ${status}): the app stays at its last release.`,
        );
      }
    }
    return releases.add(app.id, () => ({ description, slug: slug.id }));
  }

  private async runRelease(app: AppRecord, slug: SlugRecord, command: string, build: Build): Promise<number> {
    const { host, releases } = this.options;
    const { config } = await releases.current(app.id);
    const id = randomUUID();
    const place = await host.files.place(slug.id, id);
    const lines = host.lines(app.id);
    const name = 'release.1';
    const base = { ...hostEnvironment(process.env), ...config, ...place.env };
    const dyno = new Dyno({
      name,
      type: 'release',
      command,
      prelude: PROFILE,
      cwd: place.folder,
      wrap: place.wrap,
      holdsAll: true,
      env: dynoEnv({ base, name, id, port: undefined, color: false }),
      lines: {
        line: (source, of, priority, text) => {
          lines.line(source, of, priority, text);
          if (source === 'app') build.say(`       ${Buffer.from(text).toString('utf8')}`);
        },
      },
      id,
      oneOff: true,
    });
    const stop = (): void => void dyno.stop(5_000);
    const timer = setTimeout(stop, BUILD_MS);
    this.abort.signal.addEventListener('abort', stop);
    dyno.start();
    const { status } = await dyno.exited;
    clearTimeout(timer);
    this.abort.signal.removeEventListener('abort', stop);
    await place.remove();
    return status;
  }

  private say(app: AppRecord, build: Build, line: string): void {
    build.say(line);
    this.options.host.lines(app.id).line('app', 'build', Priority.api, line);
  }

  /** Slugs of releases long gone take room. */
  private async forgetOld(app: AppId): Promise<void> {
    const { store, releases, host } = this.options;
    const kept = new Set((await releases.list(app)).slice(-REMEMBERED).map(({ slug }) => slug));
    for (const { key, value } of await store.list<SlugRecord>(app, slugKey(''))) {
      if (kept.has(value.id)) continue;
      await store.transact(app, [{ key, value: undefined }]);
      await host.files.remove(value.id);
    }
  }
}

function describe({ commit, id }: Build): string {
  return (commit || id).slice(0, 8);
}

function size(byteCount: number): string {
  return byteCount < 1_048_576
    ? `${Math.ceil(byteCount / 1_024)}K`
    : `${(byteCount / 1_048_576).toFixed(1)}M`;
}
