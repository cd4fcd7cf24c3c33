/** The config vars that add-ons give to apps, brought into the apps' releases. */
import type { AppId } from '../../../logs/store/contract.ts';
import type { AppRegistry } from '../../records/app-registry.ts';
import { applyConfigChange } from '../../records/config-change.ts';
import type { Releases } from '../../records/release-history.ts';
import {
  attachedNames,
  ownConfig,
  type ReleaseChange,
  type ReleasedAddon,
  type ReleaseRecord,
} from '../../records/release-record.ts';
import type { ReleaseMaker, ReleaseOptions } from '../contract.ts';
import { attachedConfigVars } from './catalog/config-vars.ts';
import type { AddonRecord } from './model/addon-record.ts';
import { type AddonRecords, type AddonSnapshot, attachmentsOfApp } from './model/addon-records.ts';

interface AttachedConfigOptions {
  readonly records: AddonRecords;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly release: ReleaseMaker['release'];
}

export class AttachedConfig {
  private readonly options: AttachedConfigOptions;
  /** What changes an app's release here, one after the other: the later one may not release what is older. */
  private readonly queues = new Map<AppId, Promise<void>>();

  constructor(options: AttachedConfigOptions) {
    this.options = options;
  }

  /** The config vars of an app that no add-on gave it. */
  async ownNames(app: AppId): Promise<ReadonlySet<string>> {
    return new Set(Object.keys(ownConfig(await this.options.releases.current(app))));
  }

  /**
   * Makes a release of an app, unless its current one has the config vars of its add-ons as they are.
   * @param describe from the names of the attachments that it is about: those whose config vars differ
   * @throws TailraceError `release_failed` when the release command of the app fails: then its config vars are as before
   */
  sync(
    app: AppId,
    describe: (names: readonly string[]) => string,
    options: ReleaseOptions = {},
  ): Promise<void> {
    const work = (this.queues.get(app) ?? Promise.resolve()).then(() => this.syncNow(app, describe, options));
    const settled = work.catch(() => undefined);
    this.queues.set(app, settled);
    void settled.then(() => {
      if (this.queues.get(app) === settled) this.queues.delete(app);
    });
    return work;
  }

  /** Releases all apps that have an add-on with its config vars as they are now, which is what has happened already. */
  async syncAll(
    addon: AddonRecord,
    describe = (names: readonly string[]): string => `Update ${names.join(', ')} by ${addon.service}`,
  ): Promise<void> {
    const apps = (await this.options.records.attachmentsOf(addon.id)).map(({ app }) => app);
    for (const app of new Set(apps)) await this.sync(app, describe, { skipsPhase: true });
  }

  private async syncNow(
    app: AppId,
    describe: (names: readonly string[]) => string,
    options: ReleaseOptions,
  ): Promise<void> {
    const { records, appRegistry, release } = this.options;
    const record = await appRegistry.findApp(app);
    if (!record) return;
    const snapshot = await records.aroundApp(app);
    const attached = attachedTo(snapshot, app);
    const change = (current: ReleaseRecord): ReleaseChange | undefined => {
      const before = attachedNames(current);
      const names = Object.keys(attached.config);
      const differing = [
        ...names.filter((name) => !before.has(name) || current.config[name] !== attached.config[name]),
        ...[...before].filter((name) => !(name in attached.config)),
      ];
      if (differing.length === 0) return undefined;
      const attachmentNames = attachmentsOfApp(snapshot, app)
        .map(({ name }) => name)
        .filter((name) => differing.some((one) => one === name || one.startsWith(`${name}_`)));
      return {
        description: describe(attachmentNames.length > 0 ? attachmentNames : differing),
        config: applyConfigChange(ownConfig(current), attached.config),
        addons: attached.addons,
      };
    };
    await release(record, change, options);
  }
}

/** What the add-ons of an app give it. */
function attachedTo(
  snapshot: AddonSnapshot,
  app: AppId,
): { config: Record<string, string>; addons: ReleasedAddon[] } {
  const config: Record<string, string> = {};
  const addons = new Map<string, ReleasedAddon>();
  for (const attachment of attachmentsOfApp(snapshot, app)) {
    const addon = snapshot.addons.find(({ id }) => id === attachment.addon);
    // What is being made changes no app: it becomes one release, when it is there.
    if (!addon || addon.state === 'creating' || addon.state === 'provisioning') continue;
    const vars = attachedConfigVars(attachment.name, addon.config);
    Object.assign(config, vars);
    const { id, name, service, plan, createdAt } = addon;
    const configVars = [...(addons.get(id)?.configVars ?? []), ...Object.keys(vars)];
    addons.set(id, { id, name, plan: `${service}:${plan}`, configVars, createdAt });
  }
  return { config, addons: [...addons.values()] };
}
