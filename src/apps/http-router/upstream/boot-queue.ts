import type { RoutedApp } from '../app-lookup.ts';

/** Requests that may wait for each dyno of an app before more are rejected (H11). */
const WAITING_PER_DYNO_MAX = 50;

/** A request that waits for a dyno to boot. */
export type WaitingRequest = { dynosChanged(): void };

type AppQueue = { waiting: Set<WaitingRequest>; unsubscribe: () => void };

/** The requests that wait for dynos, by app. */
export class BootQueue {
  /** Not by name: an app may be renamed while requests wait for it. */
  private readonly queues = new Map<RoutedApp, AppQueue>();

  /** Puts a request in the queue, until it leaves; false if the queue is full. */
  join(app: RoutedApp, waiter: WaitingRequest): boolean {
    let queue = this.queues.get(app);
    if (queue === undefined) {
      const waiting = new Set<WaitingRequest>();
      // A copy, because requests leave the queue when they are notified, and may join it again.
      const unsubscribe = app.onChange(() => {
        for (const request of [...waiting]) if (waiting.has(request)) request.dynosChanged();
      });
      queue = { waiting, unsubscribe };
      this.queues.set(app, queue);
    }
    if (queue.waiting.has(waiter)) return true;
    if (queue.waiting.size >= WAITING_PER_DYNO_MAX * Math.max(1, app.desiredWebDynos())) return false;
    queue.waiting.add(waiter);
    return true;
  }

  /** Takes a request out of the queue, if it is in it. */
  leave(app: RoutedApp, waiter: WaitingRequest): void {
    const queue = this.queues.get(app);
    if (queue === undefined) return;
    queue.waiting.delete(waiter);
    if (queue.waiting.size > 0) return;
    queue.unsubscribe();
    this.queues.delete(app);
  }
}
