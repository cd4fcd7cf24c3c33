/** All groups and which of their events are kept, in memory, within limits; and what has changed since it was last stored. */
import type { ErrorEvent } from '../event/error-event.ts';
import type { EventTitle } from '../event/event-title.ts';
import { type ErrorGroup, type GroupStatus, withEvent } from './error-group.ts';

export interface KeepLimits {
  /** Those that were seen longest ago go first. */
  readonly groups: number;
  /** Of a group: the oldest go first. */
  readonly groupEvents: number;
  readonly groupBytes: number;
  /** Of all: the oldest go first. */
  readonly events: number;
  readonly bytes: number;
}

export const KEEP_LIMITS: KeepLimits = {
  groups: 5_000,
  groupEvents: 50,
  groupBytes: 4 * 1_048_576,
  events: 50_000,
  bytes: 128 * 1_048_576,
};

/** An event on its way into the store. */
export interface IncomingEvent {
  readonly group: string;
  readonly id: string;
  readonly event: ErrorEvent;
  readonly title: EventTitle;
  /** As it is stored. */
  readonly packed: Uint8Array;
  readonly receivedAt: number;
}

export interface AddedEvent {
  /** Again: it was there already, and isn't counted twice. */
  readonly kind: 'new' | 'regression' | 'known' | 'again';
  readonly group: ErrorGroup;
}

/** Since the service was set up. */
export interface ErrorCounters {
  readonly events: number;
  /** Events that had to go for newer ones; their groups still count them. */
  readonly evictedEvents: number;
  readonly evictedGroups: number;
}

export const NO_ERRORS: ErrorCounters = { events: 0, evictedEvents: 0, evictedGroups: 0 };

/** What a commit writes. */
export interface StateChanges {
  readonly groups: Set<string>;
  readonly events: Map<number, Uint8Array | undefined>;
}

export class ErrorState {
  /** Those that were seen last come last. */
  readonly groups = new Map<string, ErrorGroup>();
  counters: ErrorCounters;
  private readonly limits: KeepLimits;
  /** Number → group and bytes; the oldest first. */
  private readonly events = new Map<number, { readonly group: string; readonly bytes: number }>();
  private readonly numbers = new Map<string, number>();
  private bytes = 0;
  private nextNumber = 1;
  private changes: StateChanges = { groups: new Set(), events: new Map() };

  /** What is stored, in any order. */
  constructor(stored: readonly ErrorGroup[], counters: ErrorCounters, limits: KeepLimits) {
    this.limits = limits;
    this.counters = counters;
    const groups = stored.map(withNumbers);
    for (const group of groups.sort((a, b) => a.lastNumber - b.lastNumber || a.lastSeen - b.lastSeen)) {
      this.groups.set(group.id, group);
      this.nextNumber = group.lastNumber + 1;
    }
    const kept = stored.flatMap(({ id, events }) => events.map((event) => ({ group: id, event })));
    for (const { group, event } of kept.sort((a, b) => a.event[0] - b.event[0])) {
      const [number, bytes, id] = event;
      this.events.set(number, { group, bytes });
      this.numbers.set(id, number);
      this.bytes += bytes;
    }
  }

  get eventCount(): number {
    return this.events.size;
  }

  /** Bytes of the events that are kept, as they are stored. */
  get keptBytes(): number {
    return this.bytes;
  }

  /** The number of the event with this id, if it is kept. */
  numberOf(id: string): number | undefined {
    return this.numbers.get(id);
  }

  /** The id of its group; undefined when the event isn't kept any more. */
  groupOfEvent(number: number): string | undefined {
    return this.events.get(number)?.group;
  }

  /** Counts an event in its group and keeps it; what has to go for it is removed. One whose id is known in the same group changes nothing. */
  add(incoming: IncomingEvent): AddedEvent {
    const { group: id, event, title, packed, receivedAt } = incoming;
    const before = this.groups.get(id);
    const known = this.numbers.get(incoming.id);
    const sameGroup = known === undefined ? undefined : this.groups.get(this.events.get(known)?.group ?? '');
    if (sameGroup) return { kind: 'again', group: sameGroup };
    const number = this.nextNumber++;
    const changed = withEvent(before, id, event, title, receivedAt, number);
    const group = {
      ...changed,
      events: [...changed.events, [number, packed.length, incoming.id] as const],
    };
    // It becomes the last one.
    this.groups.delete(id);
    this.set(group);
    this.events.set(number, { group: id, bytes: packed.length });
    this.numbers.set(incoming.id, number);
    this.bytes += packed.length;
    this.changes.events.set(number, packed);
    this.counters = { ...this.counters, events: this.counters.events + 1 };
    this.keepWithinLimits(group);
    const kept = this.groups.get(id) ?? group;
    if (!before) return { kind: 'new', group: kept };
    if (before.status !== 'resolved') return { kind: 'known', group: kept };
    return { kind: 'regression', group: kept };
  }

  /** @returns the group; undefined when there is none of this id (any more) */
  setStatus(id: string, status: GroupStatus, now: number): ErrorGroup | undefined {
    const group = this.groups.get(id);
    if (!group || group.status === status) return group;
    return this.set({ ...group, status, statusAt: now });
  }

  /** Removes a group with its events. @returns what it was */
  remove(id: string): ErrorGroup | undefined {
    const group = this.groups.get(id);
    if (!group) return undefined;
    for (const [number, , eventId] of group.events) this.forget(number, eventId);
    this.groups.delete(id);
    this.changes.groups.add(id);
    return group;
  }

  /** What has changed since the last call. */
  takeChanges(): StateChanges {
    const changes = this.changes;
    this.changes = { groups: new Set(), events: new Map() };
    return changes;
  }

  private keepWithinLimits(group: ErrorGroup): void {
    const { limits } = this;
    let bytes = group.events.reduce((sum, [, size]) => sum + size, 0);
    let drop = 0;
    // The newest one stays, whatever its size.
    while (
      drop < group.events.length - 1 &&
      (group.events.length - drop > limits.groupEvents || bytes > limits.groupBytes)
    )
      bytes -= group.events[drop++][1];
    this.dropOldest(group, drop);
    while (this.events.size > 1 && (this.events.size > limits.events || this.bytes > limits.bytes)) {
      const oldest = this.groups.get(this.events.values().next().value?.group ?? '');
      if (!oldest) break;
      this.dropOldest(oldest, 1);
    }
    while (this.groups.size > limits.groups) {
      const [id = ''] = this.groups.keys();
      const gone = this.remove(id);
      this.counters = {
        ...this.counters,
        evictedGroups: this.counters.evictedGroups + 1,
        evictedEvents: this.counters.evictedEvents + (gone?.events.length ?? 0),
      };
    }
  }

  private dropOldest(group: ErrorGroup, count: number): void {
    if (count === 0) return;
    for (const [number, , id] of group.events.slice(0, count)) this.forget(number, id);
    this.set({ ...group, events: group.events.slice(count) });
    this.counters = { ...this.counters, evictedEvents: this.counters.evictedEvents + count };
  }

  private forget(number: number, id: string): void {
    this.bytes -= this.events.get(number)?.bytes ?? 0;
    this.events.delete(number);
    this.numbers.delete(id);
    this.changes.events.set(number, undefined);
  }

  private set(group: ErrorGroup): ErrorGroup {
    this.groups.set(group.id, group);
    this.changes.groups.add(group.id);
    return group;
  }
}

/** Records of before have no numbers of their own: those of the events that are kept. */
function withNumbers(group: ErrorGroup): ErrorGroup {
  const { events, firstNumber = events[0]?.[0] ?? 0, lastNumber = events.at(-1)?.[0] ?? 0 } = group;
  return { ...group, firstNumber, lastNumber };
}
