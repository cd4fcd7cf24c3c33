/**
 * Add-ons: each a record with an owner app, attached to one or several apps, made by a provider. What apps see of them is their config
 * vars, which become part of a release whenever they change.
 *
 * Every change is written down before it is made and finished at the next start when the server died over it: {@link Addons.open}.
 */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { AppRecord, AppRegistry } from '../../records/app-registry.ts';
import type { Releases } from '../../records/release-history.ts';
import { AttachedConfig } from './attached-config.ts';
import { CATALOG } from './catalog/catalog.ts';
import type { AddonProviderName, CatalogService } from './catalog/catalog-entry.ts';
import { attachedConfigVars, configOfFacts, planOf, requirePlan } from './catalog/find-service.ts';
import type { BackupSchedules } from './databases/schedules.ts';
import type { DatabaseTransfers } from './databases/transfers.ts';
import { migrateReleasedAddons } from './migrate-released-addons.ts';
import type { AddonRecord, AttachmentRecord } from './model/addon-record.ts';
import {
  type AddonRecords,
  type AddonSnapshot,
  attachmentsOfAddon,
  attachmentsOfApp,
} from './model/addon-records.ts';
import { chooseAttachmentName, parseAddonName, parseAttachmentName } from './model/attachment-names.ts';
import type {
  AddonFacts,
  AddonInfoRow,
  AddonPage,
  AddonProvider,
  AddonReports,
  OpenContext,
  ProvidedService,
} from './provider.ts';

/** When two servers choose the same free name at once, the later one chooses again. */
const ATTEMPTS_MAX = 10;

/** What is asked for with a new add-on. */
export interface NewAddon {
  /** As typed: `redis`, `heroku-redis:premium-0`. */
  readonly plan: string;
  /** Left out: one is made up. */
  readonly name?: string;
  /** Left out: the service's own name, or one with a color. */
  readonly as?: string;
  /** The app's name: what has the attachment's name, or its config vars, may be replaced. */
  readonly confirm?: string;
  /** `url` attaches what already runs there. */
  readonly options?: Readonly<Record<string, string>>;
}

/** What is asked for with another attachment. */
export interface NewAttachment extends Pick<NewAddon, 'as' | 'confirm'> {
  readonly addon: string;
}

export interface AddonsOptions {
  readonly store: Store;
  readonly records: AddonRecords;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly providers: Readonly<Record<AddonProviderName, AddonProvider>>;
  readonly transfers: DatabaseTransfers;
  readonly schedules: BackupSchedules;
  /** This server, for good: `AddonRecord.server`. */
  readonly server: () => string;
  /** Makes up the end of a name: `clear-brook-48213`. */
  readonly randomName: () => string;
  /** Runs a new release of an app. */
  readonly rollOut: (
    app: AppRecord,
    release: { readonly version: number; readonly description: string },
  ) => Promise<void>;
  /** Tells an app's owner in its stream. */
  readonly logToApp: (app: AppId, message: string) => void;
  /** Sends the app's lines to its add-on; another address of the same add-on takes the place of the one before. @throws TailraceError */
  readonly setLogDrain: (addon: AddonRecord, url: string) => Promise<void>;
  /** What else belongs to an add-on, such as drains, is to be removed. */
  readonly onRemoved: (addon: AddonRecord) => Promise<void>;
  readonly log: Log;
}

export class Addons implements AddonReports {
  /** Backups of databases, and restores. */
  readonly transfers: DatabaseTransfers;
  readonly schedules: BackupSchedules;
  private readonly options: AddonsOptions;
  private readonly config: AttachedConfig;

  constructor(options: AddonsOptions) {
    this.options = options;
    this.transfers = options.transfers;
    this.schedules = options.schedules;
    this.config = new AttachedConfig(options);
  }

  /**
   * Finishes what a server that died left half-done, and starts the add-ons of this server. Before the apps are started: they get
   * their newest release then.
   */
  async open(): Promise<void> {
    const { providers, log } = this.options;
    const server = this.options.server();
    await this.transfers.open();
    await this.schedules.open();
    await migrateReleasedAddons(this.options, server);
    const { addons } = await this.snapshot();
    const apps = await this.options.appRegistry.appNames();
    const own = addons.filter((addon) => addon.server === server);
    for (const addon of own) {
      const isHalfDone =
        addon.state === 'creating' || addon.state === 'deprovisioning' || !apps.has(addon.app);
      if (isHalfDone)
        await this.finishRemoval(addon).catch((error: unknown) =>
          log.warn(
            { addon: addon.name, err: error },
            'an add-on that was being removed is still there; it is removed at the next start',
          ),
        );
    }
    const { addons: left } = await this.snapshot();
    for (const name of Object.keys(providers) as AddonProviderName[])
      await providers[name].resume(
        left.filter(
          (addon) =>
            addon.server === server &&
            addon.provider === name &&
            (addon.state === 'provisioned' || addon.state === 'provisioning'),
        ),
      );
    for (const [app, name] of apps)
      await this.config
        .sync(app, (names) => `Update ${names.join(', ')}`, { quiet: true })
        .catch((error: unknown) =>
          log.warn({ app: name, err: error }, "an app's add-ons could not be released"),
        );
  }

  async close(): Promise<void> {
    await this.schedules.close();
    await this.transfers.close();
    await Promise.all(Object.values(this.options.providers).map((provider) => provider.close()));
  }

  // --- what there is ---

  /** All services: those of partners win over those of this machine with the same name. */
  async services(): Promise<readonly ProvidedService[]> {
    const { partner, local, external } = this.options.providers;
    const all = (await Promise.all([partner.services(), local.services(), external.services()])).flat();
    return all.filter(({ name }, i) => all.findIndex((other) => other.name === name) === i);
  }

  snapshot(): Promise<AddonSnapshot> {
    return this.options.records.snapshot();
  }

  info(addon: AddonRecord): Promise<readonly AddonInfoRow[]> {
    return Promise.resolve(this.provider(addon).info?.(addon) ?? []);
  }

  /** Apps with an add-on that wants the memory and load of their dynos in the stream. */
  async appsThatSampleDynos(): Promise<ReadonlySet<AppId>> {
    const { addons, attachments } = await this.snapshot();
    const wanting = new Set(CATALOG.filter(({ samplesDynos }) => samplesDynos).map(({ name }) => name));
    const ids = new Set(addons.filter(({ service }) => wanting.has(service)).map(({ id }) => id));
    return new Set(attachments.filter(({ addon }) => ids.has(addon)).map(({ app }) => app));
  }

  /** Has it a page that can be opened? */
  hasPage(addon: AddonRecord, services: readonly ProvidedService[]): boolean {
    return (
      addon.provider !== 'external' && (services.find(({ name }) => name === addon.service)?.hasPage ?? false)
    );
  }

  page(addon: AddonRecord): AddonPage | undefined {
    return addon.state === 'provisioned' ? this.provider(addon).page?.(addon) : undefined;
  }

  /** Of a page that is elsewhere. */
  pageUrl(addon: AddonRecord, context: OpenContext): Promise<string | undefined> {
    return Promise.resolve(this.provider(addon).open?.(addon, context));
  }

  // --- the life of an add-on ---

  /**
   * Creates an add-on and attaches it to its app: all of it or nothing, also when the server dies meanwhile.
   * @throws TailraceError `not_found`, `invalid_params`, `confirmation_required`, or what its provider says
   */
  async create(app: AppRecord, request: NewAddon): Promise<AddonRecord> {
    const services = await this.services();
    const options = request.options ?? {};
    const isExternal = options.url !== undefined;
    const found = requirePlan(services, isExternal ? request.plan.split(':')[0] : request.plan);
    const { service, plan } = found;
    const missing = services.find(({ name }) => name === service.name)?.missing;
    const provider: AddonProviderName = isExternal ? 'external' : service.provider;
    if (missing && !isExternal) throw new TailraceError('unavailable', missing);
    const addon = await this.reserve(app, request, (now) => ({
      id: randomUUID(),
      name: request.name
        ? parseAddonName(request.name)
        : `${service.namePrefix}-${this.options.randomName()}`,
      app: app.id,
      service: service.name,
      plan: isExternal ? 'external' : plan.name,
      provider,
      server: this.options.server(),
      state: 'creating',
      configVars: found.configVars,
      prefix: found.prefix,
      colorPrefix: found.colorPrefix,
      config: {},
      options,
      createdAt: now,
      updatedAt: now,
    }));
    try {
      const made = await this.options.providers[provider].provision(addon, plan);
      const provisioned = await this.requireUpdate(addon.id, (before) => ({
        resource: made.resource ?? before.resource,
        // A quick provider has reported already what it only promised here.
        state:
          before.state === 'provisioned' || made.state === 'provisioned' ? 'provisioned' : 'provisioning',
        config: { ...configOfFacts(before.configVars, made.facts ?? {}), ...before.config },
        message: made.message,
      }));
      if (made.logDrainUrl !== undefined) await this.options.setLogDrain(addon, made.logDrainUrl);
      await this.config.sync(app.id, (names) => `Attach ${names.join(', ')} (@ref:${addon.name})`);
      return provisioned;
    } catch (error) {
      await this.finishRemoval(await this.latest(addon)).catch((cause: unknown) =>
        this.options.log.warn(
          { addon: addon.name, err: cause },
          'an add-on that was not made could not be taken back',
        ),
      );
      throw error;
    }
  }

  /**
   * @param force also when other apps use it, or the server that it was on is no more
   * @throws TailraceError `conflict`
   */
  async destroy(addon: AddonRecord, force = false): Promise<void> {
    this.rejectOtherServer(addon, force);
    const snapshot = await this.snapshot();
    const apps = await this.options.appRegistry.appNames();
    const others = attachmentsOfAddon(snapshot, addon.id).filter(
      ({ app }) => app !== addon.app && apps.has(app),
    );
    if (others.length > 0 && !force) {
      const names = others.map(({ app, name }) => `${apps.get(app)}::${name}`).join(', ');
      throw new TailraceError(
        'conflict',
        `${addon.name} is attached to other apps (${names}): detach it there first (addons:detach), or add --force`,
      );
    }
    await this.requireUpdate(addon.id, () => ({ state: 'deprovisioning' }));
    await this.finishRemoval(addon);
  }

  /** Changes the plan. @throws TailraceError `invalid_params` */
  async changePlan(addon: AddonRecord, typed: string): Promise<AddonRecord> {
    this.rejectOtherServer(addon);
    this.rejectUnlessProvisioned(addon);
    const service = await this.serviceOf(addon);
    const plan = planOf(service, typed.includes(':') ? typed.split(':')[1] : typed, typed);
    if (plan.name === addon.plan) return addon;
    const made = await this.provider(addon).changePlan({ ...addon, plan: plan.name }, plan);
    const changed = await this.requireUpdate(addon.id, (before) => ({
      plan: plan.name,
      resource: made.resource ?? before.resource,
      config: made.facts ? configOfFacts(before.configVars, made.facts) : before.config,
      message: made.message,
    }));
    await this.syncAll(changed);
    return changed;
  }

  /** @throws TailraceError `invalid_params`, `conflict` */
  async rename(addon: AddonRecord, typed: string): Promise<AddonRecord> {
    const name = parseAddonName(typed);
    const renamed = await this.options.records.update(addon.id, () => ({ name }));
    if (!renamed) throw new TailraceError('conflict', `Name ${name} is already taken.`);
    return renamed;
  }

  /** Destroys what an app owns and detaches the others, for an app that is to be destroyed. */
  async removeApp(app: AppRecord): Promise<void> {
    const snapshot = await this.snapshot();
    await this.rejectAppRemoval(app);
    for (const addon of snapshot.addons.filter((one) => one.app === app.id)) {
      await this.requireUpdate(addon.id, () => ({ state: 'deprovisioning' }));
      await this.finishRemoval(addon, app.id);
    }
    await this.transfers.removeApp(app.id);
    await this.options.records.detach(attachmentsOfApp(await this.snapshot(), app.id));
  }

  /** @throws TailraceError `conflict` for an app with an add-on that other apps use */
  async rejectAppRemoval(app: AppRecord): Promise<void> {
    const { addons, attachments } = await this.snapshot();
    const apps = await this.options.appRegistry.appNames();
    for (const addon of addons.filter((one) => one.app === app.id)) {
      this.rejectOtherServer(addon);
      const other = attachments.find(
        (one) => one.addon === addon.id && one.app !== app.id && apps.has(one.app),
      );
      if (other)
        throw new TailraceError(
          'conflict',
          `${app.name} owns ${addon.name}, which is attached to ${apps.get(other.app)}: detach it there first (addons:detach ${other.name} -a ${apps.get(other.app)}).`,
        );
    }
  }

  // --- attachments ---

  /**
   * Attaches an add-on to an app, once more or under another name. An attachment of the same name is replaced when that is confirmed.
   * @throws TailraceError `confirmation_required`, `invalid_params`
   */
  async attach(
    app: AppRecord,
    addon: AddonRecord,
    request: Pick<NewAddon, 'as' | 'confirm'>,
  ): Promise<AttachmentRecord> {
    if (addon.state === 'deprovisioning')
      throw new TailraceError('conflict', `${addon.name} is being destroyed.`);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { attachment, replaced } = await this.planAttachment(app, addon, request);
      if (!(await this.options.records.attach(attachment, replaced))) continue;
      // Whoever destroys an add-on looks at its attachments after its state says so.
      if ((await this.latest(addon)).state === 'deprovisioning') {
        await this.options.records.detach([attachment]);
        throw new TailraceError('conflict', `${addon.name} is being destroyed.`);
      }
      const previous = replaced && (await this.options.records.get(replaced.addon))?.value;
      await this.config.sync(app.id, () =>
        [
          ...(previous ? [`Detach ${attachment.name} (@ref:${previous.name})`] : []),
          `Attach ${attachment.name} (@ref:${addon.name})`,
        ].join(', '),
      );
      return attachment;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /** @throws TailraceError `invalid_params` for the last attachment to the app that owns the add-on */
  async detach(attachment: AttachmentRecord): Promise<void> {
    const snapshot = await this.snapshot();
    const addon = snapshot.addons.find(({ id }) => id === attachment.addon);
    if (addon) rejectLastAttachment(snapshot, addon, attachment);
    await this.options.records.detach([attachment]);
    await this.config.sync(
      attachment.app,
      () => `Detach ${attachment.name} (@ref:${addon?.name ?? attachment.addon})`,
    );
  }

  // --- what providers report ---

  async markProvisioned(id: string, facts?: AddonFacts): Promise<AddonRecord> {
    const addon = await this.requireUpdate(id, (before) =>
      before.state === 'provisioning' || before.state === 'creating'
        ? { state: 'provisioned', config: facts ? configOfFacts(before.configVars, facts) : before.config }
        : undefined,
    );
    await this.syncAll(addon);
    return addon;
  }

  async markFailed(id: string, reason: string): Promise<void> {
    const addon = (await this.options.records.get(id))?.value;
    if (!addon || addon.state === 'provisioned') return;
    this.options.logToApp(addon.app, `Add-on ${addon.name} could not be created: ${reason}`);
    await this.requireUpdate(id, () => ({ state: 'deprovisioning' }));
    await this.finishRemoval(addon);
  }

  async updateFacts(id: string, facts: AddonFacts, resource?: unknown): Promise<AddonRecord> {
    const addon = await this.requireUpdate(id, (before) => ({
      config: { ...before.config, ...configOfFacts(before.configVars, facts) },
      resource: resource ?? before.resource,
    }));
    await this.syncAll(addon);
    return addon;
  }

  async updateLogDrain(id: string, url: string): Promise<void> {
    const addon = (await this.options.records.get(id))?.value;
    if (addon) await this.options.setLogDrain(addon, url);
  }

  // --- parts ---

  /** Writes down a new add-on with its first attachment, under names that are free. */
  private async reserve(
    app: AppRecord,
    request: NewAddon,
    make: (now: string) => AddonRecord,
  ): Promise<AddonRecord> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const addon = make(new Date().toISOString());
      const snapshot = await this.snapshot();
      if (snapshot.addons.some(({ name }) => name.toLowerCase() === addon.name.toLowerCase())) {
        if (request.name) throw new TailraceError('conflict', `Name ${request.name} is already taken.`);
        continue;
      }
      const { attachment, replaced } = await this.planAttachment(app, addon, request);
      if (await this.options.records.create(addon, attachment, replaced)) return addon;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /** The attachment to make, and the one that it replaces. */
  private async planAttachment(
    app: AppRecord,
    addon: AddonRecord,
    { as, confirm }: Pick<NewAddon, 'as' | 'confirm'>,
  ): Promise<{ attachment: AttachmentRecord; replaced: AttachmentRecord | undefined }> {
    const snapshot = await this.snapshot();
    const taken = attachmentsOfApp(snapshot, app.id);
    const own = await this.config.ownNames(app.id);
    const varsOf = (name: string) => Object.keys(attachedConfigVars(name, addon.configVars));
    const attachedBy = (name: string): string[] =>
      taken
        .filter((one) => one.name !== name)
        .flatMap((one) => {
          const other = snapshot.addons.find(({ id }) => id === one.addon);
          return other ? Object.keys(attachedConfigVars(one.name, other.configVars)) : [];
        });
    const overwritten = (name: string) => varsOf(name).filter((one) => own.has(one));
    const isFree = (name: string) =>
      !taken.some((one) => one.name === name) &&
      overwritten(name).length === 0 &&
      !varsOf(name).some((one) => attachedBy(name).includes(one));
    const name = as ? parseAttachmentName(as) : chooseAttachmentName(addon.prefix, addon.colorPrefix, isFree);
    const replaced = taken.find((one) => one.name === name);
    const vars = replaced ? varsOf(name) : overwritten(name);
    const clash = varsOf(name).find((one) => attachedBy(name).includes(one));
    if (clash)
      throw new TailraceError(
        'invalid_params',
        `${clash} is a config var of another attachment: choose another name with --as.`,
      );
    if ((replaced || vars.length > 0) && confirm !== app.name)
      throw new TailraceError(
        'confirmation_required',
        `Adding ${name} to app ${app.name} would overwrite existing vars ${joinWords(vars)}.`,
      );
    if (replaced) {
      if (replaced.addon === addon.id)
        throw new TailraceError(
          'invalid_params',
          `${addon.name} is attached to ${app.name} as ${name} already.`,
        );
      const previous = snapshot.addons.find(({ id }) => id === replaced.addon);
      if (previous) rejectLastAttachment(snapshot, previous, replaced);
    }
    const now = new Date().toISOString();
    return {
      attachment: { id: randomUUID(), name, app: app.id, addon: addon.id, createdAt: now, updatedAt: now },
      replaced,
    };
  }

  /**
   * Takes an add-on away: from its apps' config, from its provider, from the records. Does what is still to be done of it.
   * @param endingApp an app that is being destroyed: it isn't released any more
   */
  private async finishRemoval(addon: AddonRecord, endingApp?: AppId): Promise<void> {
    const attachments = attachmentsOfAddon(await this.snapshot(), addon.id);
    await this.options.records.detach(attachments);
    for (const app of new Set(attachments.map((one) => one.app).filter((one) => one !== endingApp)))
      await this.config.sync(app, () => {
        const names = attachments.filter((one) => one.app === app).map(({ name }) => name);
        return `Detach ${names.join(', ')} (@ref:${addon.name})`;
      });
    await this.options.onRemoved(addon);
    if (addon.server === this.options.server() || addon.provider !== 'local')
      await this.provider(addon).deprovision(addon);
    await this.options.records.remove(addon, []);
  }

  /** Releases all apps that have an add-on with its config vars as they are now. */
  private async syncAll(addon: AddonRecord): Promise<void> {
    const apps = attachmentsOfAddon(await this.snapshot(), addon.id).map(({ app }) => app);
    for (const app of new Set(apps))
      await this.config.sync(app, (names) => `Update ${names.join(', ')} by ${addon.service}`);
  }

  private async requireUpdate(
    id: string,
    change: (before: AddonRecord) => Partial<AddonRecord> | undefined,
  ): Promise<AddonRecord> {
    const updated = await this.options.records.update(id, change);
    if (!updated) throw new TailraceError('not_found', "Couldn't find that add-on.");
    return updated;
  }

  private async latest(addon: AddonRecord): Promise<AddonRecord> {
    return (await this.options.records.get(addon.id))?.value ?? addon;
  }

  private async serviceOf(addon: AddonRecord): Promise<CatalogService> {
    const service = (await this.services()).find(({ name }) => name === addon.service);
    if (service) return service;
    throw new TailraceError('unavailable', `This server knows no add-on service ${addon.service} any more.`);
  }

  private provider({ provider }: AddonRecord): AddonProvider {
    return this.options.providers[provider];
  }

  private rejectUnlessProvisioned({ name, state }: AddonRecord): void {
    if (state === 'provisioned') return;
    throw new TailraceError(
      'conflict',
      `${name} is ${state}: wait until it is provisioned (addons:wait ${name}).`,
    );
  }

  private rejectOtherServer({ name, server, provider }: AddonRecord, force = false): void {
    if (server === this.options.server() || provider !== 'local' || force) return;
    throw new TailraceError(
      'conflict',
      `${name} runs on another server that shares this store: ask that one, or destroy it with --force if that server is no more.`,
    );
  }
}

/** @throws TailraceError when an add-on would have no attachment to its owner any more */
function rejectLastAttachment(
  snapshot: AddonSnapshot,
  addon: AddonRecord,
  attachment: AttachmentRecord,
): void {
  if (attachment.app !== addon.app) return;
  const others = attachmentsOfAddon(snapshot, addon.id).filter(
    ({ app, id }) => app === addon.app && id !== attachment.id,
  );
  if (others.length > 0) return;
  throw new TailraceError(
    'invalid_params',
    `Cannot destroy last attachment to billing app for resource ${addon.name}: attach it under another name first (addons:attach ${addon.name} --as NAME), or destroy it (addons:destroy ${addon.name}).`,
  );
}

function joinWords(words: readonly string[]): string {
  if (words.length <= 1) return words.join('');
  if (words.length === 2) return words.join(' and ');
  return `${words.slice(0, -1).join(', ')}, and ${words[words.length - 1]}`;
}
