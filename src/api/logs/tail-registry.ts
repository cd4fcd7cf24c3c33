import type { AppRegistry } from '../../apps/records/app-registry.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** The tails that are open here, by app: they end when their app is destroyed. */
export class TailRegistry {
  private readonly appRegistry: AppRegistry;
  private readonly closersByApp = new Map<AppId, Set<() => void>>();
  private isChecking = false;
  private checkAgain = false;

  constructor(store: Store, appRegistry: AppRegistry) {
    this.appRegistry = appRegistry;
    store.watchRecords((scope) => {
      // Apps are records of no app.
      if (scope === '' && this.closersByApp.size > 0) void this.closeOrphans();
    });
  }

  /** Calls `end` when the app is gone, until the returned function is called. */
  add(app: AppId, close: () => void): () => void {
    let closers = this.closersByApp.get(app);
    if (!closers) {
      closers = new Set();
      this.closersByApp.set(app, closers);
    }
    closers.add(close);
    const ownClosers = closers;
    return () => {
      ownClosers.delete(close);
      if (ownClosers.size === 0 && this.closersByApp.get(app) === ownClosers) this.closersByApp.delete(app);
    };
  }

  /** One check at a time; a change meanwhile causes another one after it. */
  private async closeOrphans(): Promise<void> {
    this.checkAgain = true;
    if (this.isChecking) return;
    this.isChecking = true;
    while (this.checkAgain) {
      this.checkAgain = false;
      for (const app of [...this.closersByApp.keys()]) {
        // While the store is unavailable this is unknown: the next change causes another check.
        const exists = await this.appRegistry.findApp(app).then(
          (found) => found !== undefined,
          () => true,
        );
        if (exists) continue;
        for (const close of this.closersByApp.get(app) ?? []) close();
      }
    }
    this.isChecking = false;
  }
}
