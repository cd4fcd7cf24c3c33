/** A queue in which everybody has their turn: who has put in much waits longer for it, and nobody else does. */
export class FairQueue<T> {
  /** By owner; the next one first. */
  private readonly queues = new Map<string, T[]>();

  /** Puts an item behind the owner's own. */
  add(owner: string, item: T): void {
    const queue = this.queues.get(owner);
    if (queue) queue.push(item);
    else this.queues.set(owner, [item]);
  }

  /** Takes the oldest item of the owner who has waited longest; undefined when there is none. */
  take(): T | undefined {
    for (const [owner, queue] of this.queues) {
      const item = queue.shift();
      this.queues.delete(owner);
      if (queue.length > 0) this.queues.set(owner, queue);
      return item;
    }
    return undefined;
  }
}
