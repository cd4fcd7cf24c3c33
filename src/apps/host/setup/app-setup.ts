/** Sets apps up as their `app.json` says: config vars, add-ons and formation at once, `postdeploy` behind the first release. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { AppRecord } from '../../records/app-registry.ts';
import { applyConfigChange, describeConfigChange } from '../../records/config-change.ts';
import { parseDynoSize } from '../../records/dyno-sizes.ts';
import { changeFormation, hasFormation } from '../../records/formation-record.ts';
import type { Releases } from '../../records/release-history.ts';
import type { Config, ReleaseRecord } from '../../records/release-record.ts';
import type { Addons } from '../addons/addons.ts';
import { findService } from '../addons/catalog/find-service.ts';
import type { ReleaseMaker } from '../contract.ts';
import type { ReleasePhases } from '../release/release-phases.ts';
import { type AppManifest, manifestConfig, parseAppManifest } from './app-manifest.ts';

/** Of an app that was made from an `app.json`, under this key in its scope. */
const SETUP_KEY = 'setup';

interface SetupRecord {
  readonly postdeploy?: string;
  readonly predestroy?: string;
  /** What became of `postdeploy`; a server that dies while it runs leaves `running`, and it isn't run again. */
  readonly state: 'waiting' | 'running' | 'succeeded' | 'failed';
  readonly exitCode?: number;
}

const POSTDEPLOY_TIMEOUT_MS = 15 * 60_000;
/** Whoever destroys an app waits for it. */
const PREDESTROY_TIMEOUT_MS = 60_000;

interface AppSetupOptions {
  readonly store: Store;
  readonly releases: Releases;
  readonly releaser: Pick<ReleaseMaker, 'release'>;
  readonly dynoManager: {
    readonly addons: Addons;
    readonly releasePhases: ReleasePhases;
    readonly slugFiles: { has(id: string): boolean };
  };
  readonly log: Log;
}

export class AppSetup {
  private readonly options: AppSetupOptions;

  constructor(options: AppSetupOptions) {
    this.options = options;
  }

  /**
   * Sets up a new app.
   * @param given config vars of whoever makes it, which win
   * @returns what was done, in lines
   * @throws TailraceError `invalid_params` with the config vars that are still needed, or what an add-on says: the app is half made then
   */
  async apply(app: AppRecord, manifest: AppManifest, given: Config): Promise<string[]> {
    const { missing } = manifestConfig(manifest.env, given);
    if (missing.length > 0) {
      const described = missing.map((name) => {
        const { description } = manifest.env[name];
        return description ? `${name} (${description})` : name;
      });
      throw new TailraceError(
        'invalid_params',
        `app.json requires config vars that have no value: ${described.join(', ')}. Give them: --env "${missing.map((name) => `${name}=…`).join(';')}".`,
      );
    }
    const said = await this.provide(app, manifest, given, true);
    const { postdeploy, predestroy } = manifest;
    const record: SetupRecord = { postdeploy, predestroy, state: postdeploy ? 'waiting' : 'succeeded' };
    await this.options.store.transact(app.id, [{ key: SETUP_KEY, value: record }]);
    if (postdeploy) said.push('postdeploy runs behind the first release');
    return said;
  }

  /** What became of the setup of an app; undefined for one that wasn't made from an `app.json`. */
  async find(app: AppId): Promise<SetupRecord | undefined> {
    return (await this.options.store.get<SetupRecord>(app, SETUP_KEY))?.value;
  }

  /**
   * Before the first build of an app: what its `app.json` gives, if the app wasn't made from one, and hasn't that already.
   * @returns the app's config vars
   */
  async prepareFirstDeploy(app: AppRecord, folder: string, onLine: (line: string) => void): Promise<Config> {
    const { releases } = this.options;
    const { config } = await releases.current(app.id);
    const isFirst = (await releases.list(app.id)).every(({ slug }) => slug === null);
    if (!isFirst || (await this.find(app.id)) !== undefined) return config;
    const text = await readFile(join(folder, 'app.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return config;
    try {
      const manifest = parseAppManifest(text);
      const { missing } = manifestConfig(manifest.env, config);
      const said = await this.provide(app, manifest, config, false);
      if (missing.length > 0)
        said.push(`required and not set: ${missing.join(', ')} (tailrace config:set ${missing[0]}=…)`);
      if (manifest.postdeploy !== undefined)
        said.push(
          `postdeploy isn't run for an app that was there before: tailrace run '${manifest.postdeploy}' does it`,
        );
      if (said.length > 0) onLine('-----> Setting up as app.json says');
      for (const line of said) onLine(`       ${line}`);
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      onLine(` !     ${error.message}`);
    }
    return (await releases.current(app.id)).config;
  }

  /** Behind a release: runs `postdeploy` of an app that waits for it. Once, whatever becomes of it. */
  async runPostdeploy(app: AppRecord, release: ReleaseRecord, onLine: (line: string) => void): Promise<void> {
    const { store, log } = this.options;
    const before = await store.get<SetupRecord>(app.id, SETUP_KEY);
    const command = before?.value.postdeploy;
    if (before?.value.state !== 'waiting' || command === undefined) return;
    const isOurs = await store.transact(app.id, [
      { key: SETUP_KEY, value: { ...before.value, state: 'running' }, ifVersion: before.version },
    ]);
    if (!isOurs) return;
    onLine('-----> Postdeploy script: running');
    const exitCode = await this.runScript(
      app,
      release,
      'postdeploy',
      command,
      POSTDEPLOY_TIMEOUT_MS,
      (line) => onLine(`       ${line}`),
    ).catch((error: unknown) => {
      log.warn({ app: app.name, err: error }, 'a postdeploy script could not be run');
      return 127;
    });
    const state = exitCode === 0 ? 'succeeded' : 'failed';
    await store.transact(app.id, [{ key: SETUP_KEY, value: { ...before.value, state, exitCode } }]);
    if (exitCode !== 0)
      onLine(
        ` !     The postdeploy script failed (status ${exitCode}); the app runs. Once more: tailrace run '${command}'`,
      );
  }

  /** Before an app is destroyed: runs `pr-predestroy`. Never rejects: the app goes anyway. */
  async runPredestroy(app: AppRecord): Promise<void> {
    const { releases, log } = this.options;
    try {
      const command = (await this.find(app.id))?.predestroy;
      const release = await releases.current(app.id);
      if (command === undefined || release.slug === null) return;
      const status = await this.runScript(
        app,
        release,
        'pr-predestroy',
        command,
        PREDESTROY_TIMEOUT_MS,
        () => {},
      );
      log.info({ app: app.name, status }, 'pr-predestroy ended');
    } catch (error) {
      log.warn({ app: app.name, err: error }, 'a pr-predestroy script could not be run');
    }
  }

  private async runScript(
    app: AppRecord,
    { slug, version, config }: ReleaseRecord,
    type: string,
    command: string,
    timeoutMs: number,
    onLine: (line: string) => void,
  ): Promise<number> {
    const { releasePhases, slugFiles } = this.options.dynoManager;
    if (slug === null || !slugFiles.has(slug)) throw new Error('its slug is not on this machine');
    return releasePhases.run({ app: app.id, type, version, slug, command, config, timeoutMs, onLine });
  }

  /**
   * Add-ons, config vars and formation, as far as the app hasn't them.
   * @param isStrict an add-on that can't be had stops it
   * @returns what was done and what wasn't, in lines
   */
  private async provide(
    app: AppRecord,
    manifest: AppManifest,
    given: Config,
    isStrict: boolean,
  ): Promise<string[]> {
    const said = [...manifest.notes, ...(await this.addMissingAddons(app, manifest, isStrict))];
    const { config } = manifestConfig(manifest.env, given);
    let names: string[] = [];
    await this.options.releaser.release(app, (current) => {
      const wanted = { ...config, ...given };
      // What add-ons give and what is set already stays.
      const change = Object.fromEntries(
        Object.entries(wanted).filter(([name]) => !Object.hasOwn(current.config, name)),
      );
      names = Object.keys(change);
      if (names.length === 0) return undefined;
      return { description: describeConfigChange(change), config: applyConfigChange(current.config, change) };
    });
    if (names.length > 0) said.push(`Config vars: ${names.join(', ')}`);
    return [...said, ...(await this.setFormation(app, manifest))];
  }

  private async addMissingAddons(
    app: AppRecord,
    { addons }: AppManifest,
    isStrict: boolean,
  ): Promise<string[]> {
    const all = this.options.dynoManager.addons;
    const said: string[] = [];
    for (const { plan, as } of addons) {
      const service = findService(await all.services(), plan)?.service;
      if (!service) {
        said.push(`The add-on ${plan} isn't there; tailrace addons:services lists those that are.`);
        continue;
      }
      const own = await all.ownedBy(app.id);
      if (own.some((one) => one.service === service.name)) continue;
      try {
        said.push(`Add-on ${plan}: ${(await all.create(app, { plan, as })).name}`);
      } catch (error) {
        if (isStrict || !(error instanceof TailraceError)) throw error;
        said.push(`The add-on ${plan} is left out: ${error.message}`);
      }
    }
    return said;
  }

  private async setFormation(app: AppRecord, { counts, sizes }: AppManifest): Promise<string[]> {
    const { store } = this.options;
    if (Object.keys(counts).length === 0 || (await hasFormation(store, app.id))) return [];
    const said: string[] = [];
    const known = Object.entries(sizes).flatMap(([type, size]): [string, string][] => {
      try {
        return [[type, parseDynoSize(size)]];
      } catch (error) {
        if (!(error instanceof TailraceError)) throw error;
        said.push(`formation.${type}.size is left out: ${error.message}`);
        return [];
      }
    });
    await changeFormation(store, app.id, () => ({ counts, sizes: Object.fromEntries(known) }));
    const shown = Object.entries(counts).map(([type, quantity]) => `${type}=${quantity}`);
    return [...said, `Formation: ${shown.join(' ')}`];
  }
}
