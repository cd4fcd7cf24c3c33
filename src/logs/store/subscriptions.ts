import type { AppendListener, AppId, RecordListener, StoredBatch } from './contract.ts';

/** Who is notified: of a stream that has grown, and of records that changed. */
export class Subscriptions {
  private readonly appendListeners = new Map<AppId, Set<AppendListener>>();
  private readonly recordListeners = new Set<RecordListener>();
  private readonly emptiedListeners = new Set<() => void>();
  /** Grows when a stream gets its first listener, or loses its last one: what {@link listenersOf} gave may be another one then. */
  version = 0;

  subscribe(app: AppId, listener: AppendListener): () => void {
    let listeners = this.appendListeners.get(app);
    if (!listeners) {
      listeners = new Set();
      this.appendListeners.set(app, listeners);
      this.version++;
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.appendListeners.get(app) === listeners) {
        this.appendListeners.delete(app);
        this.version++;
      }
    };
  }

  /** Is anybody notified of this stream? */
  hasSubscribers(app: AppId): boolean {
    return this.appendListeners.has(app);
  }

  /** Who is notified of this stream, until {@link version} grows; undefined: nobody. */
  listenersOf(app: AppId): ReadonlySet<AppendListener> | undefined {
    return this.appendListeners.get(app);
  }

  notifyAppend(app: AppId, batch: StoredBatch | undefined): void {
    const listeners = this.appendListeners.get(app);
    if (listeners) for (const listener of listeners) listener(batch);
  }

  watchRecords(listener: RecordListener): () => void {
    this.recordListeners.add(listener);
    return () => this.recordListeners.delete(listener);
  }

  watchEmptied(listener: () => void): () => void {
    this.emptiedListeners.add(listener);
    return () => this.emptiedListeners.delete(listener);
  }

  notifyEmptied(): void {
    for (const listener of this.emptiedListeners) listener();
  }

  notifyRecordChange(scope: string, keys?: readonly string[]): void {
    for (const listener of this.recordListeners) listener(scope, keys);
  }
}
