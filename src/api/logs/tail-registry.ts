import type { ApiKeys } from '../../apps/access/api-keys.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { CoalescedRun } from '../../common/coalesced-run.ts';
import type { Log } from '../../common/log.ts';
import { type AppId, mayHaveChanged, type Store } from '../../logs/store/contract.ts';
import { mayReadLines } from '../access/authorize.ts';

/** What it works with. */
export interface TailRegistryDependencies {
  readonly store: Store;
  readonly appRegistry: AppRegistry;
  readonly apiKeys: ApiKeys;
  readonly log: Log;
}

const APP_PREFIX = 'app/';

/** The tails that are open here, by app: they end when their app is destroyed, or nobody may read it any more. */
export class TailRegistry {
  private readonly appRegistry: AppRegistry;
  private readonly log: Log;
  private readonly apiKeys: ApiKeys;
  private readonly closersByApp = new Map<AppId, Set<() => void>>();
  private readonly orphanCheck = new CoalescedRun(() => this.closeOrphans());

  constructor({ store, appRegistry, apiKeys, log }: TailRegistryDependencies) {
    this.appRegistry = appRegistry;
    this.apiKeys = apiKeys;
    this.log = log;
    store.watchRecords((scope, keys) => {
      // Apps are records of no app.
      if (scope === '' && mayHaveChanged(keys, APP_PREFIX) && this.closersByApp.size > 0)
        void this.orphanCheck.request();
    });
  }

  /** Tails that are open. */
  get size(): number {
    let size = 0;
    for (const closers of this.closersByApp.values()) size += closers.size;
    return size;
  }

  /**
   * Calls `close` when the app is gone, or whoever opened the tail may not read its lines any more, until the returned function is called.
   * @param keyHash of what was shown; undefined: nothing
   */
  add(app: Pick<AppRecord, 'id' | 'name'>, keyHash: string | undefined, close: () => void): () => void {
    const unregister = this.addCloser(app.id, close);
    if (keyHash === undefined) return unregister;
    const unwatch = this.apiKeys.watch(keyHash, (grant) => mayReadLines(grant, app), close);
    return () => {
      unregister();
      unwatch();
    };
  }

  private addCloser(app: AppId, close: () => void): () => void {
    let closers = this.closersByApp.get(app);
    if (!closers) {
      closers = new Set();
      this.closersByApp.set(app, closers);
    }
    closers.add(close);
    this.log.debug({ app, tails: closers.size }, 'tail opened');
    const ownClosers = closers;
    return () => {
      if (ownClosers.delete(close)) this.log.debug({ app, tails: ownClosers.size }, 'tail closed');
      if (ownClosers.size === 0 && this.closersByApp.get(app) === ownClosers) this.closersByApp.delete(app);
    };
  }

  private async closeOrphans(): Promise<void> {
    for (const app of [...this.closersByApp.keys()]) {
      // While the store is unavailable nobody knows; the next change leads here again.
      const exists = await this.appRegistry.findApp(app).then(
        (found) => found !== undefined,
        () => true,
      );
      if (exists) continue;
      for (const close of this.closersByApp.get(app) ?? []) close();
    }
  }
}
