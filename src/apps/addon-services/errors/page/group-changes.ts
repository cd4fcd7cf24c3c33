import type { EventStream } from '../../runtime/event-stream.ts';

/** Changes within this time are told together. */
const GATHER_MS = 300;
/** Of one message; whoever gets so many reads everything anyway. */
const GROUPS_MAX = 100;

/** Tells open pages which groups have changed: not each event, in a storm of them. */
export class GroupChanges {
  private readonly stream: EventStream<{ readonly groups: readonly string[] }>;
  private changed = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(stream: EventStream<{ readonly groups: readonly string[] }>) {
    this.stream = stream;
  }

  /** A group has changed: pages are told of it together with others of the same moment. @param group its id */
  add(group: string): void {
    this.changed.add(group);
    this.timer ??= setTimeout(() => this.tell(), GATHER_MS).unref();
  }

  /** Pages aren't told of what has just changed: they read everything when they connect again. */
  close(): void {
    clearTimeout(this.timer);
  }

  private tell(): void {
    const groups = [...this.changed].slice(0, GROUPS_MAX);
    this.timer = undefined;
    this.changed = new Set();
    this.stream.send({ groups });
  }
}
