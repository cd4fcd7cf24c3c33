import type { AppendListener, AppId, ListenerPatience, RecordListener, StoredBatch } from './contract.ts';

/** Who is notified of one stream; who never is patient has no {@link ListenerPatience}. */
export type AppendListeners = ReadonlyMap<AppendListener, ListenerPatience | undefined>;

/** Is somebody among them who isn't patient now? */
export function isAnyImpatient(listeners: ReadonlyMap<unknown, ListenerPatience | undefined>): boolean {
  for (const isPatient of listeners.values()) if (!isPatient?.()) return true;
  return false;
}

/** Who is notified: of a stream that has grown, and of records that changed. */
export class Subscriptions {
  private readonly appendListeners = new Map<AppId, Map<AppendListener, ListenerPatience | undefined>>();
  private readonly recordListeners = new Set<RecordListener>();
  private readonly awaitedListeners = new Set<(app: AppId) => void>();
  private readonly emptiedListeners = new Set<() => void>();
  /** Grows when a stream gets its first listener, or loses its last one: what {@link listenersOf} gave may be another one then. */
  version = 0;

  /** As {@link Store.subscribe}. */
  subscribe(app: AppId, listener: AppendListener, isPatient?: ListenerPatience): () => void {
    let listeners = this.appendListeners.get(app);
    const mayGather = !listeners || !isAnyImpatient(listeners);
    if (!listeners) {
      listeners = new Map();
      this.appendListeners.set(app, listeners);
      this.version++;
    }
    listeners.set(listener, isPatient);
    if (mayGather) this.notifyAwaited(app);
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
  listenersOf(app: AppId): AppendListeners | undefined {
    return this.appendListeners.get(app);
  }

  /** Calls those who subscribe to a stream, one after the other, before it returns. @param batch as {@link AppendListener} has it */
  notifyAppend(app: AppId, batch: StoredBatch | undefined): void {
    const listeners = this.appendListeners.get(app);
    if (listeners) for (const listener of listeners.keys()) listener(batch);
  }

  /** As {@link Store.watchRecords}. */
  watchRecords(listener: RecordListener): () => void {
    this.recordListeners.add(listener);
    return () => this.recordListeners.delete(listener);
  }

  /** As {@link Store.watchAwaited}. */
  watchAwaited(listener: (app: AppId) => void): void {
    this.awaitedListeners.add(listener);
  }

  /** What is to be appended to a stream shouldn't wait any longer. */
  notifyAwaited(app: AppId): void {
    for (const listener of this.awaitedListeners) listener(app);
  }

  /** As {@link Store.watchEmptied}. */
  watchEmptied(listener: () => void): () => void {
    this.emptiedListeners.add(listener);
    return () => this.emptiedListeners.delete(listener);
  }

  /** What was read of the store isn't there any more; {@link notifyRecordChange} of the scope `''` comes behind it. */
  notifyEmptied(): void {
    for (const listener of this.emptiedListeners) listener();
  }

  /** Calls those who watch records, whatever the scope. @param keys as {@link RecordListener} has them */
  notifyRecordChange(scope: string, keys?: readonly string[]): void {
    for (const listener of this.recordListeners) listener(scope, keys);
  }
}
