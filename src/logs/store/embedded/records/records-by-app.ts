import type { AppId } from '../../contract.ts';
import { appOfRecord } from '../../record-app.ts';

/**
 * The keys of the records in the scope of no app, by the app that each belongs to: in memory, as the store has one process. It is changed while
 * a transaction is made, so in the order of transactions; when one fails it is made anew. A key in it may have no record yet.
 */
export class RecordsByApp {
  private readonly keys = new Map<AppId, Set<string>>();
  /** Of records that can't be read: they may be anybody's. */
  private readonly unreadable = new Set<string>();

  /** @param before the record's value until now, undefined when there was none; and `after`, undefined when it is deleted */
  change(key: string, before: unknown, after: unknown): void {
    this.unreadable.delete(key);
    const from = appOfRecord(before);
    const to = appOfRecord(after);
    if (from !== undefined && from !== to) {
      const keys = this.keys.get(from);
      keys?.delete(key);
      if (keys?.size === 0) this.keys.delete(from);
    }
    if (to === undefined) return;
    const keys = this.keys.get(to);
    if (keys) keys.add(key);
    else this.keys.set(to, new Set([key]));
  }

  /** A record is there whose value can't be read: {@link keysOf} gives its key for every app. */
  addUnreadable(key: string): void {
    this.unreadable.add(key);
  }

  /** Keys that begin with `prefix`, in their order: those of the app, and those of records that can't be read. */
  keysOf(app: AppId, prefix: string): string[] {
    const own = this.keys.get(app) ?? [];
    return [...own, ...this.unreadable].filter((key) => key.startsWith(prefix)).sort();
  }
}
