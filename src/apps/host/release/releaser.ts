/**
 * Makes releases: every change of an app's code, config vars or add-ons goes through here. If its slug has a `release` process type,
 * that command runs before the release counts, and decides whether it does.
 */

import { randomBytes } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import { errorMessage } from '../../../common/text/error-message.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { AppRecord, AppRegistry } from '../../records/app-registry.ts';
import { GrowingText } from '../../records/growing-text.ts';
import type { Releases } from '../../records/release-history.ts';
import {
  RELEASE_COMMAND_TIMEOUT_MS,
  type ReleaseChange,
  type ReleaseRecord,
  rolledBackConfig,
} from '../../records/release-record.ts';
import { type SlugRecord, slugRecordKey, unusedSlugs } from '../../records/slug-record.ts';
import type { ReleaseMaker, ReleaseOptions } from '../contract.ts';
import { deleteSlug } from './delete-slug.ts';
import type { ReleasePhases } from './release-phases.ts';

/** What a release command says, as far as it is kept while it runs. */
const OUTPUT_CHARS_MAX = 1_000_000;
/** When others change the app at once. */
const ATTEMPTS_MAX = 20;

/** What runs the apps. */
interface ReleaseHost {
  readonly slugFiles: { has(id: string): boolean; remove(id: string): Promise<void> };
  /** Of the releases of an app that have dynos. */
  runningSlugs(app: AppId): ReadonlySet<string>;
  readonly releasePhases: Pick<ReleasePhases, 'run'>;
  isLocalApp(app: AppId): boolean;
  /** @throws TailraceError for an app that is being destroyed */
  requireStaying(app: AppId): void;
  deployRelease(app: AppRecord): Promise<void>;
}

interface ReleaserOptions {
  readonly store: Store;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly dynoManager: ReleaseHost;
  /** This server, for good. */
  readonly server: () => string;
  readonly logToApp: (app: AppId, message: string) => void;
  readonly owner: string;
  readonly log: Log;
}

/** A slug's release command. */
interface ReleaseCommand {
  readonly slug: string;
  readonly command: string;
}

export class Releaser implements ReleaseMaker {
  private readonly options: ReleaserOptions;
  /** The last release of each app that is being made: the next one begins with its result. */
  private readonly queues = new Map<AppId, Promise<unknown>>();
  /** What release commands say, by the secret of their releases: it is there before the release can be seen. */
  private readonly outputs = new Map<string, GrowingText>();

  constructor(options: ReleaserOptions) {
    this.options = options;
  }

  /** Releases whose command ran when the server died have failed. To be called before any are made. */
  async open(apps: readonly AppRecord[]): Promise<void> {
    const { releases, logToApp, server } = this.options;
    for (const app of apps)
      for (const release of await releases.list(app.id)) {
        if (release.status !== 'pending' || release.server !== server()) continue;
        const text = `The server died during the release command of v${release.version}: it isn't released.`;
        if (await releases.finish(app.id, release.version, 'failed', `${text}\n`)) logToApp(app.id, text);
      }
  }

  release(
    app: AppRecord,
    change: (current: ReleaseRecord) => ReleaseChange | undefined,
    options: ReleaseOptions = {},
  ): Promise<ReleaseRecord> {
    const before = this.queues.get(app.id) ?? Promise.resolve();
    const work = before.then(() => this.releaseNow(app, change, options));
    // In this turn, too: what another release is about to run is there until it has begun, or isn't released.
    const settled = work.catch(() => undefined).then(() => this.deleteOldSlugs(app));
    this.queues.set(app.id, settled);
    void settled.then(() => {
      if (this.queues.get(app.id) === settled) this.queues.delete(app.id);
    });
    return work;
  }

  rollBack(app: AppRecord, to: ReleaseRecord): Promise<ReleaseRecord> {
    return this.release(app, (current) => {
      if (current.version === to.version)
        throw new TailraceError(
          'invalid_params',
          `v${to.version} is the current release already: choose an earlier one.`,
        );
      // What add-ons give is of now: a database isn't rolled back.
      const config = rolledBackConfig(to, current);
      return { description: `Rollback to v${to.version}`, slug: to.slug, config };
    });
  }

  /** Resolves when none is being made, of this app or of any. */
  async ended(app?: AppId): Promise<void> {
    if (app !== undefined) while (this.queues.has(app)) await this.queues.get(app);
    else while (this.queues.size > 0) await Promise.all(this.queues.values());
  }

  output(secret: string): AsyncGenerator<string> | undefined {
    return this.outputs.get(secret)?.read();
  }

  private async releaseNow(
    app: AppRecord,
    change: (current: ReleaseRecord) => ReleaseChange | undefined,
    options: ReleaseOptions,
  ): Promise<ReleaseRecord> {
    const { releases, appRegistry, dynoManager, logToApp, owner } = this.options;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      // While this waited for its turn it may have been destroyed.
      await appRegistry.getApp(app.id);
      dynoManager.requireStaying(app.id);
      const current = await releases.current(app.id);
      const requested = change(current);
      if (!requested) return current;
      const slug = requested.slug === undefined ? current.slug : requested.slug;
      if (requested.slug && !dynoManager.slugFiles.has(requested.slug))
        throw new TailraceError(
          'invalid_params',
          'This slug is no longer kept: choose a later release, or push that commit again.',
        );
      const command = options.skipsPhase ? undefined : await this.commandOf(app.id, slug);
      const release = command
        ? await this.releaseBehind(command, app, current, requested, options)
        : await this.addBehind(app.id, current, requested);
      // Another server has made one meanwhile.
      if (!release) continue;
      if (options.isQuiet) return release;
      logToApp(app.id, `${release.description} by user ${owner}`);
      logToApp(app.id, `Release v${release.version} created by user ${owner}`);
      // It may have been renamed or destroyed while the command ran.
      const latest = command ? await appRegistry.findApp(app.id) : app;
      if (latest) await dynoManager.deployRelease(latest);
      return command ? releases.get(app.id, String(release.version)) : release;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /** @returns undefined when the current release is another one by now */
  private async addBehind(
    app: AppId,
    current: ReleaseRecord,
    change: ReleaseChange,
  ): Promise<ReleaseRecord | undefined> {
    let isMade = false;
    const release = await this.options.releases.add(app, (now) => {
      isMade = now.id === current.id;
      return isMade ? change : undefined;
    });
    return isMade ? release : undefined;
  }

  /** The same behind a release command. @throws TailraceError `release_failed` */
  private async releaseBehind(
    command: ReleaseCommand,
    app: AppRecord,
    current: ReleaseRecord,
    change: ReleaseChange,
    options: ReleaseOptions,
  ): Promise<ReleaseRecord | undefined> {
    const secret = randomBytes(24).toString('base64url');
    const text = new GrowingText(OUTPUT_CHARS_MAX);
    this.outputs.set(secret, text);
    try {
      const pending = { status: 'pending' as const, server: this.options.server(), output: secret };
      const release = await this.addBehind(app.id, current, { ...change, ...pending });
      if (release) await this.runPhase(app, release, command, options, text);
      return release;
    } finally {
      text.end();
      this.outputs.delete(secret);
    }
  }

  /** @throws TailraceError `release_failed` */
  private async runPhase(
    app: AppRecord,
    release: ReleaseRecord,
    { slug, command }: ReleaseCommand,
    options: ReleaseOptions,
    text: GrowingText,
  ): Promise<void> {
    const { releases, dynoManager, logToApp, owner, log } = this.options;
    const { version, config } = release;
    logToApp(app.id, `Running release v${version} commands by user ${owner}`);
    options.onPhase?.();
    log.info({ app: app.name, version }, 'release command started');
    let reason: string;
    try {
      const status = await dynoManager.releasePhases.run({
        app: app.id,
        version,
        slug,
        command,
        config,
        timeoutMs: RELEASE_COMMAND_TIMEOUT_MS,
        onLine: (line) => {
          text.append(line);
          options.onLine?.(line);
        },
      });
      reason = status === 0 ? '' : `status ${status}`;
    } catch (error) {
      reason = errorMessage(error);
    }
    log.info({ app: app.name, version, reason }, 'release command ended');
    const status = reason === '' ? 'succeeded' : 'failed';
    const isFinished = await releases.finish(app.id, version, status, text.toString());
    if (isFinished && reason === '') return;
    logToApp(app.id, `Release v${version} failed: ${release.description} by user ${owner}`);
    throw new TailraceError(
      'release_failed',
      `The release command failed (${reason || 'its release was given up meanwhile'}): v${version} isn't released, and the app stays as it is.`,
    );
  }

  private async deleteOldSlugs(app: AppRecord): Promise<void> {
    const { store, releases, dynoManager, log } = this.options;
    const { slugFiles } = dynoManager;
    try {
      const slugs = (await store.list<SlugRecord>(app.id, slugRecordKey(''))).map(({ value }) => value);
      const unused = unusedSlugs(slugs, await releases.list(app.id), dynoManager.runningSlugs(app.id));
      // Those of another server may run there.
      for (const { id } of unused) if (slugFiles.has(id)) await deleteSlug(store, slugFiles, app.id, id);
    } catch (error) {
      log.warn({ app: app.name, err: error }, 'slugs of old releases could not be deleted');
    }
  }

  /** The command that a slug wants to have run; undefined for none, or if the slug isn't on this machine. */
  private async commandOf(app: AppId, slug: string | null): Promise<ReleaseCommand | undefined> {
    const { store, dynoManager } = this.options;
    if (slug === null || dynoManager.isLocalApp(app) || !dynoManager.slugFiles.has(slug)) return undefined;
    const command = (await store.get<SlugRecord>(app, slugRecordKey(slug)))?.value.processTypes.release;
    return command === undefined ? undefined : { slug, command };
  }
}
