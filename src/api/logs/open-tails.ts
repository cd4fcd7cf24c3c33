import type { Directory } from '../../apps/records/directory.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** The tails that are open here, by app: they end when their app is destroyed. */
export class OpenTails {
  private readonly directory: Directory;
  private readonly ends = new Map<AppId, Set<() => void>>();
  private looking = false;
  private again = false;

  constructor(store: Store, directory: Directory) {
    this.directory = directory;
    store.watch((scope) => {
      // Apps are records of no app.
      if (scope === '' && this.ends.size > 0) void this.look();
    });
  }

  /** Calls `end` when the app is gone, until the returned function is called. */
  add(app: AppId, end: () => void): () => void {
    let ends = this.ends.get(app);
    if (!ends) {
      ends = new Set();
      this.ends.set(app, ends);
    }
    ends.add(end);
    const own = ends;
    return () => {
      own.delete(end);
      if (own.size === 0 && this.ends.get(app) === own) this.ends.delete(app);
    };
  }

  /** One look at a time; what changes meanwhile is looked at behind it. */
  private async look(): Promise<void> {
    this.again = true;
    if (this.looking) return;
    this.looking = true;
    while (this.again) {
      this.again = false;
      for (const app of [...this.ends.keys()]) {
        // When the store is away, nobody can tell; the next change is looked at again.
        const isThere = await this.directory.findApp(app).then(
          (found) => found !== undefined,
          () => true,
        );
        if (isThere) continue;
        for (const end of this.ends.get(app) ?? []) end();
      }
    }
    this.looking = false;
  }
}
