/** What providers report by themselves: a pending add-on is there, its config vars are others. The apps that have it are released. */
import { TailraceError } from '../../../common/errors.ts';
import type { AddonRemovals } from './addon-removals.ts';
import type { AttachedConfig } from './attached-config.ts';
import { configAfter, configOfFacts } from './catalog/config-vars.ts';
import type { AddonRecord } from './model/addon-record.ts';
import type { AddonRecords } from './model/addon-records.ts';
import type { AddonConfigChange, AddonFacts, AddonReports, SampleNames } from './provider.ts';

interface ProviderReportsOptions {
  readonly records: AddonRecords;
  readonly config: AttachedConfig;
  readonly removals: AddonRemovals;
  readonly tellApp: (addon: AddonRecord, message: string) => void;
  /** @throws TailraceError for an address that can't be drained to */
  readonly setLogDrain: (addon: AddonRecord, url: string, token?: string) => Promise<void>;
}

export class ProviderReports implements AddonReports {
  private readonly options: ProviderReportsOptions;

  constructor(options: ProviderReportsOptions) {
    this.options = options;
  }

  async sampleNames(addon: AddonRecord): Promise<SampleNames> {
    const { records } = this.options;
    const { name } = (await records.get(addon.id))?.value ?? addon;
    if (Object.keys(addon.configVars).length === 0) return { source: name, addon: name };
    const attached = (await records.attachedTo(addon.app))
      .filter((attachment) => attachment.addon === addon.id)
      .map((attachment) => attachment.name);
    const source = attached.includes(addon.prefix) ? addon.prefix : (attached[0] ?? addon.prefix);
    return { source, addon: name };
  }

  async markProvisioned(id: string, facts?: AddonFacts): Promise<AddonRecord> {
    const addon = await this.options.records.requireUpdate(id, (before) =>
      before.state === 'provisioning' || before.state === 'creating'
        ? { state: 'provisioned', config: facts ? configOfFacts(before.configVars, facts) : before.config }
        : undefined,
    );
    if (addon.state === 'deprovisioning')
      throw new TailraceError('conflict', `${addon.name} is being destroyed.`);
    await this.options.config.syncAll(addon, (names) => `Attach ${names.join(', ')} (@ref:${addon.name})`);
    return addon;
  }

  async markFailed(id: string, reason: string): Promise<void> {
    let isFailed = false;
    const addon = await this.options.records.update(id, ({ state }) => {
      isFailed = state === 'provisioning' || state === 'creating';
      return isFailed ? { state: 'deprovisioning' } : undefined;
    });
    if (!addon || !isFailed) return;
    this.options.tellApp(addon, `Add-on ${addon.name} could not be created: ${reason}`);
    await this.options.removals.remove(addon);
  }

  /** A provider has ended an add-on that is being removed, or that it can't make. @throws TailraceError `conflict` for one that is there */
  async markDeprovisioned(addon: AddonRecord): Promise<void> {
    if (addon.state === 'provisioned')
      throw new TailraceError('conflict', `${addon.name} is provisioned: whoever owns it destroys it.`);
    if (addon.state === 'deprovisioning') await this.options.removals.remove(addon);
    else await this.markFailed(addon.id, `${addon.service} says that it can't be`);
  }

  /**
   * A provider changes an add-on's config vars: the apps that have it are released with them, once it is there.
   * @throws TailraceError `conflict` for one that is being removed, `invalid_params` for what an app can't have
   */
  async updateConfig(
    id: string,
    change: AddonConfigChange,
    configVars: AddonRecord['configVars'],
  ): Promise<AddonRecord> {
    let before: AddonRecord | undefined;
    const addon = await this.options.records.requireUpdate(id, (record) => {
      before = record;
      if (record.state === 'deprovisioning')
        throw new TailraceError('conflict', `${record.name} is being destroyed.`);
      return { configVars, config: configAfter(record, { configChange: change }) };
    });
    try {
      await this.options.config.syncAll(addon);
    } catch (error) {
      // Nothing of it can be released, and nothing of others while it is there.
      const { config } = before ?? addon;
      await this.options.records.update(id, (now) =>
        JSON.stringify(now.config) === JSON.stringify(addon.config) ? { config } : undefined,
      );
      throw error;
    }
    return addon;
  }

  async keepResource(id: string, resource: unknown): Promise<void> {
    await this.options.records.requireUpdate(id, () => ({ resource }));
  }

  async updateFacts(id: string, facts: AddonFacts, resource?: unknown): Promise<AddonRecord> {
    const addon = await this.options.records.requireUpdate(id, (before) => ({
      config: { ...before.config, ...configOfFacts(before.configVars, facts) },
      resource: resource ?? before.resource,
    }));
    await this.options.config.syncAll(addon);
    return addon;
  }

  async updateLogDrain(id: string, url: string, token?: string): Promise<void> {
    const addon = (await this.options.records.get(id))?.value;
    if (addon) await this.options.setLogDrain(addon, url, token);
  }
}
