/** How add-ons are taken away: from their apps' config, from their provider, from the records. Each step can be done again. */
import type { Log } from '../../../common/log.ts';
import type { AppId } from '../../../logs/store/contract.ts';
import type { AttachedConfig } from './attached-config.ts';
import type { AddonRecord } from './model/addon-record.ts';
import type { AddonRecords } from './model/addon-records.ts';
import type { AddonProvider } from './provider.ts';
import { RemovalRetries } from './removal-retries.ts';

export interface AddonRemovalsOptions {
  readonly records: AddonRecords;
  readonly config: AttachedConfig;
  readonly provider: (addon: AddonRecord) => AddonProvider;
  readonly server: () => string;
  readonly onRemoved: (addon: AddonRecord) => Promise<void>;
  /** It isn't done, for this reason, and goes on. */
  readonly onFailed: (addon: AddonRecord, error: unknown, endingApp: AppId | undefined) => void;
  readonly log: Log;
}

interface Removal {
  /** An app that is being destroyed: it isn't released any more. */
  readonly endingApp?: AppId;
  /** What can't be reached is left where it is. */
  readonly isForced?: boolean;
}

export class AddonRemovals {
  private readonly options: AddonRemovalsOptions;
  private readonly retries = new RemovalRetries((id) => this.retry(id));
  /** Those under way, by id. */
  private readonly underWay = new Map<string, Promise<void>>();
  /** Add-ons that are being made: what becomes of that is known first. */
  private readonly held = new Set<string>();

  constructor(options: AddonRemovalsOptions) {
    this.options = options;
  }

  /** Until the returned function is called, its removal waits: whoever holds it removes it then. */
  hold(id: string): () => void {
    this.held.add(id);
    return () => void this.held.delete(id);
  }

  /** From now on it is being removed, whatever happens. */
  mark({ id }: AddonRecord): Promise<AddonRecord | undefined> {
    return this.options.records.update(id, () => ({ state: 'deprovisioning' }));
  }

  /**
   * Removes an add-on that is marked so; what fails is tried again until it is done.
   * @returns is it gone?
   */
  async remove(addon: AddonRecord, how: Removal = {}): Promise<boolean> {
    try {
      if (this.held.has(addon.id)) {
        await this.detach(addon, how.endingApp);
        return false;
      }
      await this.finish(addon, how);
      this.retries.done(addon.id);
      return true;
    } catch (error) {
      this.options.log.warn(
        { addon: addon.name, err: error },
        'an add-on that is being removed is still there; its removal is tried again',
      );
      this.options.onFailed(addon, error, how.endingApp);
      this.retries.failed(addon.id, error);
      return false;
    }
  }

  /** Why it isn't removed yet; undefined when nothing failed. */
  reason(id: string): string | undefined {
    return this.retries.reason(id);
  }

  close(): void {
    this.retries.close();
  }

  private async retry(id: string): Promise<void> {
    const addon = (await this.options.records.get(id))?.value;
    if (addon?.state === 'deprovisioning') await this.finish(addon, {});
  }

  /** One removal of an add-on at a time; another one is the same, unless it is forced. */
  private finish(addon: AddonRecord, how: Removal): Promise<void> {
    const before = this.underWay.get(addon.id);
    if (before && !how.isForced) return before;
    const removal = (before ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.finishNow(addon, how));
    this.underWay.set(addon.id, removal);
    const ended = (): void => {
      if (this.underWay.get(addon.id) === removal) this.underWay.delete(addon.id);
    };
    removal.then(ended, ended);
    return removal;
  }

  private async finishNow(addon: AddonRecord, { endingApp, isForced }: Removal): Promise<void> {
    const { records, provider, server, onRemoved } = this.options;
    await this.detach(addon, endingApp);
    await onRemoved(addon);
    if (addon.server === server() || addon.provider !== 'local')
      await provider(addon).deprovision(addon, isForced);
    // It may have been renamed.
    await records.remove((await records.get(addon.id))?.value ?? addon, []);
  }

  private async detach(addon: AddonRecord, endingApp: AppId | undefined): Promise<void> {
    const { records, config } = this.options;
    const attachments = await records.attachmentsOf(addon.id);
    if (attachments.length === 0) return;
    await records.detach(attachments);
    for (const app of new Set(attachments.map((one) => one.app).filter((one) => one !== endingApp)))
      await config.sync(
        app,
        () => {
          const names = attachments.filter((one) => one.app === app).map(({ name }) => name);
          return `Detach ${names.join(', ')} (@ref:${addon.name})`;
        },
        // A release command that fails without the add-on would keep it forever.
        { skipsPhase: true },
      );
  }
}
