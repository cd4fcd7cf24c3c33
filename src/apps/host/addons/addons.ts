/**
 * Add-ons: each a record with an owner app, attached to one or several apps, made by a provider. What apps see of them is their config
 * vars, which become part of a release whenever they change.
 *
 * Every change is written down before it is made and finished at the next start when the server died over it: {@link Addons.open}.
 */
import { randomUUID } from 'node:crypto';
import { reasonOf, TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { AppRecord, AppRegistry } from '../../records/app-registry.ts';
import type { Releases } from '../../records/release-history.ts';
import type { ReleaseMaker } from '../contract.ts';
import { AddonRemovals } from './addon-removals.ts';
import { AttachedConfig } from './attached-config.ts';
import { CATALOG } from './catalog/catalog.ts';
import type { AddonPlan, AddonProviderName, CatalogService } from './catalog/catalog-entry.ts';
import { configAfter } from './catalog/config-vars.ts';
import { planOf, requirePlan } from './catalog/find-service.ts';
import type { BackupSchedules } from './databases/schedules.ts';
import type { DatabaseTransfers } from './databases/transfers.ts';
import { migrateReleasedAddons } from './migrate-released-addons.ts';
import type { AddonRecord, AttachmentRecord } from './model/addon-record.ts';
import type { AddonRecords, AddonSnapshot } from './model/addon-records.ts';
import { parseAddonName } from './model/attachment-names.ts';
import { type AttachmentRequest, planAttachment, rejectLastAttachment } from './model/plan-attachment.ts';
import type { Partners } from './partner/partners.ts';
import type {
  AddonInfoRow,
  AddonPage,
  AddonProvider,
  OpenContext,
  ProvidedService,
  SignOnForm,
} from './provider.ts';
import { ProviderReports } from './provider-reports.ts';

/** When two servers choose the same free name at once, the later one chooses again. */
const ATTEMPTS_MAX = 10;

/** What is asked for with a new add-on. */
export interface NewAddon extends AttachmentRequest {
  /** As typed: `redis`, `heroku-redis:premium-0`. */
  readonly plan: string;
  /** Left out: one is made up. */
  readonly name?: string;
  /** `url` attaches what already runs there. */
  readonly options?: Readonly<Record<string, string>>;
}

export interface AddonsOptions {
  readonly store: Store;
  readonly records: AddonRecords;
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly providers: Readonly<Record<AddonProviderName, AddonProvider>>;
  readonly transfers: DatabaseTransfers;
  readonly schedules: BackupSchedules;
  /** Partners' services, and what they may do here. */
  readonly partners: Partners;
  /** This server, for good: `AddonRecord.server`. */
  readonly server: () => string;
  /** Makes up the end of a name: `clear-brook-48213`. */
  readonly randomName: () => string;
  /** Makes a release of an app. */
  readonly release: ReleaseMaker['release'];
  /** Tells an app's owner in its stream. */
  readonly logToApp: (app: AppId, message: string) => void;
  /** Sends the app's lines to its add-on; another address of the same add-on takes the place of the one before. @throws TailraceError */
  readonly setLogDrain: (addon: AddonRecord, url: string, token?: string) => Promise<void>;
  /** What else belongs to an add-on, such as drains, is to be removed. */
  readonly onRemoved: (addon: AddonRecord) => Promise<void>;
  readonly log: Log;
}

export class Addons {
  /** For the providers. */
  readonly reports: ProviderReports;
  /** Backups of databases, and restores. */
  readonly transfers: DatabaseTransfers;
  readonly schedules: BackupSchedules;
  private readonly options: AddonsOptions;
  private readonly config: AttachedConfig;
  private readonly removals: AddonRemovals;
  private isClosing = false;

  constructor(options: AddonsOptions) {
    this.options = options;
    this.transfers = options.transfers;
    this.schedules = options.schedules;
    this.config = new AttachedConfig(options);
    this.removals = new AddonRemovals({
      ...options,
      config: this.config,
      provider: (addon) => this.provider(addon),
      onFailed: (addon, error, endingApp) => {
        if (!this.isClosing && endingApp !== addon.app)
          this.tellApp(
            addon,
            `Add-on ${addon.name} is not removed yet, which is tried again: ${messageOf(error)}`,
          );
      },
    });
    this.reports = new ProviderReports({
      ...options,
      config: this.config,
      removals: this.removals,
      tellApp: (addon, message) => this.tellApp(addon, message),
    });
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
    const later: (() => Promise<unknown>)[] = [];
    for (const addon of own) {
      const isResumed =
        addon.state === 'creating' && apps.has(addon.app) && this.provider(addon).resumesCreation;
      const isHalfDone =
        addon.state === 'creating' || addon.state === 'deprovisioning' || !apps.has(addon.app);
      // What somebody else has to be asked for holds up no start.
      if (isResumed) later.push(() => this.resumeCreation(addon));
      else if (isHalfDone) {
        const removed = (await this.removals.mark(addon)) ?? addon;
        if (addon.provider === 'partner') later.push(() => this.removals.remove(removed));
        else await this.removals.remove(removed);
      }
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
        .sync(app, (names) => `Update ${names.join(', ')}`, { isQuiet: true, skipsPhase: true })
        .catch((error: unknown) =>
          log.warn({ app: name, err: error }, "an app's add-ons could not be released"),
        );
    for (const work of later) void work();
  }

  /** Ends schedules and transfers, then what providers run. */
  async close(): Promise<void> {
    await this.closeOthers();
    await Promise.all(Object.values(this.options.providers).map((provider) => provider.close()));
  }

  /** The same, but leaves the programs of add-ons to the next server. */
  async leave(): Promise<void> {
    await this.closeOthers();
    const providers: AddonProvider[] = Object.values(this.options.providers);
    await Promise.all(providers.map((provider) => provider.leave?.() ?? provider.close()));
  }

  private async closeOthers(): Promise<void> {
    this.isClosing = true;
    this.removals.close();
    await this.schedules.close();
    await this.transfers.close();
  }

  // --- what there is ---

  /** All services: those of partners win over those of this machine with the same name. */
  async services(): Promise<readonly ProvidedService[]> {
    const { partner, local, external } = this.options.providers;
    const all = (await Promise.all([partner.services(), local.services(), external.services()])).flat();
    return all.filter(({ name }, i) => all.findIndex((other) => other.name === name) === i);
  }

  /** All add-ons and attachments of all apps, the oldest first, also of other servers on the store. */
  snapshot(): Promise<AddonSnapshot> {
    return this.options.records.snapshot();
  }

  /** The add-ons that an app owns, the oldest first. */
  ownedBy(app: AppId): Promise<readonly AddonRecord[]> {
    return this.options.records.ownedBy(app);
  }

  /** By its id, or its name as it is written. */
  find(which: string): Promise<AddonRecord | undefined> {
    return this.options.records.find(which);
  }

  /** Rows for people: what its provider says, and why it isn't removed yet. @throws as the provider */
  async info(addon: AddonRecord): Promise<readonly AddonInfoRow[]> {
    const reason = this.removals.reason(addon.id);
    const rows = (await this.provider(addon).info?.(addon)) ?? [];
    return reason === undefined ? rows : [...rows, { name: 'Not removed yet', values: [reason] }];
  }

  /** Partners' services, and what they may do here. */
  get partners(): Partners {
    return this.options.partners;
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

  /** Its page in the browser; undefined while it isn't provisioned, or when it has none. */
  page(addon: AddonRecord): AddonPage | undefined {
    return addon.state === 'provisioned' ? this.provider(addon).page?.(addon) : undefined;
  }

  /** Of a page that is elsewhere. */
  pageUrl(addon: AddonRecord, context: OpenContext): Promise<string | undefined> {
    return Promise.resolve(this.provider(addon).open?.(addon, context));
  }

  /** What its page is opened with when that isn't an address alone. */
  async signOnForm(addon: AddonRecord, context: OpenContext): Promise<SignOnForm | undefined> {
    return this.provider(addon).signOn?.(addon, context);
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
    if (service.isOnePerApp && !isExternal) await this.rejectSecond(app, service);
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
    return this.finishCreation(addon, plan);
  }

  /** Has an add-on made that is written down; takes it back when that fails. */
  private async finishCreation(addon: AddonRecord, plan: AddonPlan): Promise<AddonRecord> {
    const release = this.removals.hold(addon.id);
    try {
      const made = await this.provider(addon).provision(addon, plan);
      const provisioned = await this.options.records.update(addon.id, (before) =>
        before.state === 'deprovisioning'
          ? undefined
          : {
              resource: made.resource ?? before.resource,
              // A quick provider has reported already what it only promised here.
              state:
                before.state === 'provisioned' || made.state === 'provisioned'
                  ? 'provisioned'
                  : 'provisioning',
              configVars: made.configVars ?? before.configVars,
              config: { ...configAfter({ ...before, config: {} }, made), ...before.config },
              message: made.message,
            },
      );
      if (!provisioned || provisioned.state === 'deprovisioning') throw takenBack(addon);
      if (made.logDrainUrl !== undefined) await this.options.setLogDrain(addon, made.logDrainUrl);
      await this.config.sync(addon.app, (names) => `Attach ${names.join(', ')} (@ref:${addon.name})`);
      release();
      // Whoever has destroyed it meanwhile left its removal to this.
      if ((await this.options.records.get(addon.id))?.value.state === 'deprovisioning')
        throw takenBack(addon);
      return provisioned;
    } catch (error) {
      release();
      // Whoever resumes creations does so after the next start.
      if (this.isClosing && this.provider(addon).resumesCreation)
        throw new TailraceError(
          'unavailable',
          `This server stops while ${addon.name} is being created: it goes on with that at its next start.`,
          { cause: error },
        );
      const latest = (await this.removals.mark(addon)) ?? addon;
      await this.removals.remove(latest);
      throw error;
    }
  }

  /** Goes on with a creation that a server died over. Its user has no answer any more: the app's stream says what came of it. */
  private async resumeCreation(addon: AddonRecord): Promise<void> {
    // Whether the service is still there is for the provider to say.
    const plan = await this.serviceOf(addon)
      .then((service) => planOf(service, addon.plan))
      .catch((): AddonPlan => ({ name: addon.plan, description: addon.plan }));
    try {
      await this.finishCreation(addon, plan);
      this.tellApp(addon, `Add-on ${addon.name} was asked for once more after a restart of this server`);
    } catch (error) {
      if (!this.isClosing)
        this.tellApp(addon, `Add-on ${addon.name} could not be created: ${messageOf(error)}`);
    }
  }

  /**
   * @param force also when other apps use it, or the server or the partner that it was at is no more
   * @returns is it gone? Otherwise its provider can't remove it now, and is asked again until it has.
   * @throws TailraceError `conflict`
   */
  async destroy(addon: AddonRecord, force = false): Promise<boolean> {
    this.rejectOtherServer(addon, force);
    const attachments = await this.options.records.attachmentsOf(addon.id);
    const elsewhere = attachments.filter(({ app }) => app !== addon.app);
    const apps = await this.options.appRegistry.namesOf(elsewhere.map(({ app }) => app));
    const others = elsewhere.filter(({ app }) => apps.has(app));
    if (others.length > 0 && !force) {
      const names = others.map(({ app, name }) => `${apps.get(app)}::${name}`).join(', ');
      throw new TailraceError(
        'conflict',
        `${addon.name} is attached to other apps (${names}): detach it there first (addons:detach), or add --force`,
      );
    }
    const removed = await this.options.records.requireUpdate(addon.id, () => ({ state: 'deprovisioning' }));
    return this.removals.remove(removed, { isForced: force && addon.provider === 'partner' });
  }

  /** Changes the plan. @throws TailraceError `invalid_params` */
  async changePlan(addon: AddonRecord, typed: string): Promise<AddonRecord> {
    this.rejectOtherServer(addon);
    this.rejectUnlessProvisioned(addon);
    const service = await this.serviceOf(addon);
    const plan = planOf(service, typed.includes(':') ? typed.split(':')[1] : typed, typed);
    if (plan.name === addon.plan) return addon;
    const made = await this.provider(addon).changePlan({ ...addon, plan: plan.name }, plan);
    const changed = await this.options.records.requireUpdate(addon.id, (before) => ({
      plan: plan.name,
      resource: made.resource ?? before.resource,
      configVars: made.configVars ?? before.configVars,
      config: configAfter(before, made),
      message: made.message,
    }));
    await this.config.syncAll(changed);
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
    const { records } = this.options;
    await this.rejectAppRemoval(app);
    for (const addon of await records.ownedBy(app.id)) {
      const removed = await this.options.records.requireUpdate(addon.id, () => ({ state: 'deprovisioning' }));
      await this.removals.remove(removed, { endingApp: app.id });
    }
    await this.transfers.removeApp(app.id);
    await records.detach(await records.attachedTo(app.id));
  }

  /** @throws TailraceError `conflict` for an app with an add-on that other apps use */
  async rejectAppRemoval(app: AppRecord): Promise<void> {
    const own = await this.options.records.ownedBy(app.id);
    if (own.length === 0) return;
    const { attachments } = await this.snapshot();
    const elsewhere = attachments.filter((one) => one.app !== app.id);
    const apps = await this.options.appRegistry.namesOf(elsewhere.map((one) => one.app));
    for (const addon of own) {
      this.rejectOtherServer(addon);
      const other = elsewhere.find((one) => one.addon === addon.id && apps.has(one.app));
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
  async attach(app: AppRecord, addon: AddonRecord, request: AttachmentRequest): Promise<AttachmentRecord> {
    if (addon.state === 'deprovisioning')
      throw new TailraceError('conflict', `${addon.name} is being destroyed.`);
    if (app.id !== addon.app && (await this.serviceOf(addon)).isUnshared)
      throw new TailraceError(
        'invalid_params',
        `${addon.name} can't be attached to another app: its service, ${addon.service}, doesn't allow that.`,
      );
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { attachment, replaced } = await this.planAttachment(app, addon, request);
      if (!(await this.options.records.attach(attachment, replaced))) continue;
      // Whoever destroys an add-on looks at its attachments after its state says so.
      if ((await this.latest(addon)).state === 'deprovisioning') {
        await this.options.records.detach([attachment]);
        throw new TailraceError('conflict', `${addon.name} is being destroyed.`);
      }
      const previous = replaced && (await this.options.records.get(replaced.addon))?.value;
      await this.config
        .sync(app.id, () =>
          [
            ...(previous ? [`Detach ${attachment.name} (@ref:${previous.name})`] : []),
            `Attach ${attachment.name} (@ref:${addon.name})`,
          ].join(', '),
        )
        .catch(async (error: unknown) => {
          if (replaced) await this.options.records.attach(replaced, attachment);
          else await this.options.records.detach([attachment]);
          throw error;
        });
      return attachment;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /** @throws TailraceError `invalid_params` for the last attachment to the app that owns the add-on */
  async detach(attachment: AttachmentRecord): Promise<void> {
    const addon = (await this.options.records.get(attachment.addon))?.value;
    const attached = await this.options.records.attachedTo(attachment.app);
    if (addon) rejectLastAttachment(attached, addon, attachment);
    await this.options.records.detach([attachment]);
    await this.config
      .sync(attachment.app, () => `Detach ${attachment.name} (@ref:${addon?.name ?? attachment.addon})`)
      .catch(async (error: unknown) => {
        await this.options.records.attach(attachment, undefined);
        throw error;
      });
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
      if (await this.options.records.hasName(addon.name)) {
        if (request.name) throw new TailraceError('conflict', `Name ${request.name} is already taken.`);
        continue;
      }
      const { attachment, replaced } = await this.planAttachment(app, addon, request);
      if (await this.options.records.create(addon, attachment, replaced)) return addon;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  private async planAttachment(app: AppRecord, addon: AddonRecord, request: AttachmentRequest) {
    const around = await this.options.records.aroundApp(app.id);
    return planAttachment(app, addon, request, {
      ...around,
      ownVars: await this.config.ownNames(app.id),
    });
  }

  /** A line in its app's stream, unless the app is gone: that has no stream any more. */
  private tellApp({ app, name }: AddonRecord, message: string): void {
    this.options.appRegistry.findApp(app).then(
      (found) => found && this.options.logToApp(app, message),
      (error: unknown) => this.options.log.warn({ addon: name, err: error }, message),
    );
  }

  private async rejectSecond(app: AppRecord, service: CatalogService): Promise<void> {
    const own = await this.options.records.ownedBy(app.id);
    const first = own.find((one) => one.service === service.name && one.state !== 'deprovisioning');
    if (first)
      throw new TailraceError(
        'conflict',
        `${app.name} has ${first.name} already, and can have one add-on of ${service.name}.`,
      );
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

function takenBack({ name }: AddonRecord): TailraceError {
  return new TailraceError(
    'conflict',
    `${name} was taken back while it was created; the app's log may say why.`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof TailraceError ? error.message : reasonOf(error);
}
