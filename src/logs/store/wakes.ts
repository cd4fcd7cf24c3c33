import type { AppId, StoredBatch, Wake } from './contract.ts';

/** Who wants to be woken: by a stream that has grown, or by records that changed. */
export class Wakes {
  private readonly byApp = new Map<AppId, Set<Wake>>();
  private readonly watchers = new Set<(scope: string) => void>();

  subscribe(app: AppId, wake: Wake): () => void {
    let wakes = this.byApp.get(app);
    if (!wakes) {
      wakes = new Set();
      this.byApp.set(app, wakes);
    }
    wakes.add(wake);
    return () => {
      wakes.delete(wake);
      if (wakes.size === 0 && this.byApp.get(app) === wakes) this.byApp.delete(app);
    };
  }

  /** Does anybody want to be woken? */
  has(app: AppId): boolean {
    return this.byApp.has(app);
  }

  wake(app: AppId, batch: StoredBatch | undefined): void {
    const wakes = this.byApp.get(app);
    if (wakes) for (const wake of wakes) wake(batch);
  }

  watch(changed: (scope: string) => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  changed(scope: string): void {
    for (const watcher of this.watchers) watcher(scope);
  }
}
