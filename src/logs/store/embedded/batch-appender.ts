import type { Batch } from '../../syslog/batch.ts';
import type { AppendWaiter, AppId, StreamAppender } from '../contract.ts';
import { type AppendListeners, isAnyImpatient, type Subscriptions } from '../subscriptions.ts';
import type { AllocatedBatch } from './segments/entry-format.ts';
import type { AppStream } from './streams/app-stream.ts';
import type { OpenStream, OpenStreamAppend } from './streams/open-stream.ts';
import type { EmbeddedStreams } from './streams/streams.ts';

/** What appenders need of their store: one for all of them. */
export interface BatchAppenderStore {
  readonly streams: EmbeddedStreams;
  readonly subscriptions: Subscriptions;
  /** @throws TailraceError when the data folder isn't in its place */
  requireInPlace(): void;
  /** @throws TailraceError when a stream can't take so many bytes more */
  requireRoom(stream: AppStream, bytes: number): void;
  /** What to say about an append that failed. */
  explainFailure(app: AppId, error: unknown): Promise<Error>;
}

/**
 * Appends to one app's stream. It keeps what it has found for the app: with thousands of apps a look-up is out of the processor's cache, and
 * costs as much as a line.
 */
export class BatchAppender implements StreamAppender {
  private readonly app: AppId;
  private readonly store: BatchAppenderStore;
  private open: OpenStream | undefined;
  /** Who is notified, in a version of all subscriptions. */
  private listeners: AppendListeners | undefined;
  private listenersVersion = -1;

  constructor(app: AppId, store: BatchAppenderStore) {
    this.app = app;
    this.store = store;
  }

  append(batch: Batch, waiter: AppendWaiter): void {
    const { app, store } = this;
    let queued: OneAppend;
    try {
      store.requireInPlace();
      if (!this.open || this.open.isClosed) this.open = store.streams.open(app);
      const { stream } = this.open;
      store.requireRoom(stream, batch.bytes.length);
      queued = new OneAppend(this, this.open, stream.allocate(batch, undefined), waiter);
    } catch (error) {
      queueMicrotask(() => waiter.onAppendFailed(error));
      return;
    }
    store.streams.appendOne(queued, waiter.isAwaited);
  }

  get isFollowed(): boolean {
    const listeners = this.currentListeners();
    return listeners !== undefined && isAnyImpatient(listeners);
  }

  /** For its batches only. */
  onAppended({ stored }: AllocatedBatch, waiter: AppendWaiter): void {
    const listeners = this.currentListeners();
    if (listeners) for (const listener of listeners.keys()) listener(stored);
    waiter.onAppended();
  }

  private currentListeners(): AppendListeners | undefined {
    const { subscriptions } = this.store;
    if (this.listenersVersion !== subscriptions.version) {
      this.listenersVersion = subscriptions.version;
      this.listeners = subscriptions.listenersOf(this.app);
    }
    return this.listeners;
  }

  /** For its batches only. */
  onRefused(waiter: AppendWaiter, error: unknown): void {
    const refused = (reason: unknown): void => waiter.onAppendFailed(reason);
    this.store.explainFailure(this.app, error).then(refused, refused);
  }
}

/** A batch, and what becomes of it: an object of one class, since there are hundreds of thousands a second. */
class OneAppend implements OpenStreamAppend {
  private readonly appender: BatchAppender;
  readonly target: OpenStream;
  readonly allocated: AllocatedBatch;
  private readonly waiter: AppendWaiter;

  constructor(appender: BatchAppender, target: OpenStream, allocated: AllocatedBatch, waiter: AppendWaiter) {
    this.appender = appender;
    this.target = target;
    this.allocated = allocated;
    this.waiter = waiter;
  }

  onCommitted(): void {
    this.appender.onAppended(this.allocated, this.waiter);
  }

  onRefused(error: unknown): void {
    this.appender.onRefused(this.waiter, error);
  }
}
