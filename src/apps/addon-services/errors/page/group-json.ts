/** Groups and events as the page and programs get them. */

import type { JsonObject } from '../../../../common/json-object.ts';
import { readEvent } from '../event/error-event.ts';
import { countDistinct } from '../store/distinct-count.ts';
import { type ErrorGroup, HOUR_MS } from '../store/error-group.ts';
import type { StoredEvent } from '../store/error-store.ts';

const DAY_HOURS = 24;
const WEEK_HOURS = 7 * 24;

export type GroupSort = 'last_seen' | 'first_seen' | 'count' | 'users';

export const GROUP_SORTS: readonly GroupSort[] = ['last_seen', 'first_seen', 'count', 'users'];

/** A row of the list. `hours`: events in each of the last 24 hours, the current one last. */
export function groupToJson(group: ErrorGroup, now: number, hours = DAY_HOURS): JsonObject {
  return {
    id: group.id,
    status: group.status,
    status_changed_at: iso(group.statusAt),
    level: group.level,
    type: group.type,
    value: group.value,
    culprit: group.culprit,
    location: group.location,
    platform: group.platform,
    count: group.count,
    users: countDistinct(group.users),
    first_seen: iso(group.firstSeen),
    last_seen: iso(group.lastSeen),
    first_release: group.firstRelease ?? null,
    last_release: group.lastRelease ?? null,
    environments: group.environments,
    regressions: group.regressions,
    kept_events: group.events.length,
    hours: hourCounts(group, now, hours),
  };
}

/** A group by itself: `hours` of a week, and which of its events are kept, the oldest first. */
export function groupDetailsToJson(group: ErrorGroup, now: number): JsonObject {
  return {
    ...groupToJson(group, now, WEEK_HOURS),
    events: group.events.map(([number, , id]) => ({ number, id })),
  };
}

/** An event: `event` in one shape for all SDKs, `raw` as it was sent, but for what was cut or filtered. */
export function eventToJson(group: ErrorGroup, number: number, stored: StoredEvent): JsonObject {
  const numbers = group.events.map(([one]) => one);
  const at = numbers.indexOf(number);
  return {
    number,
    group: group.id,
    previous: numbers[at - 1] ?? null,
    next: numbers[at + 1] ?? null,
    position: at + 1,
    of: numbers.length,
    received_at: iso(stored.receivedAt),
    cut: stored.cut,
    event: readEvent(stored.event),
    raw: stored.event,
  };
}

/** The groups that are asked for. `query`: words that all have to be there. */
export function selectGroups(
  groups: Iterable<ErrorGroup>,
  filter: { readonly status: string; readonly query: string; readonly sort: GroupSort },
): ErrorGroup[] {
  const words = filter.query.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 20);
  const found: ErrorGroup[] = [];
  for (const group of groups)
    if ((filter.status === 'all' || group.status === filter.status) && matches(group, words))
      found.push(group);
  return found.sort(ORDERS[filter.sort]);
}

type Order = (a: ErrorGroup, b: ErrorGroup) => number;

/** In one millisecond, what came later is first. */
const BY_LAST_SEEN: Order = (a, b) => b.lastSeen - a.lastSeen || b.lastNumber - a.lastNumber;

const ORDERS: Readonly<Record<GroupSort, Order>> = {
  last_seen: BY_LAST_SEEN,
  first_seen: (a, b) => b.firstSeen - a.firstSeen || b.firstNumber - a.firstNumber,
  count: (a, b) => b.count - a.count || BY_LAST_SEEN(a, b),
  users: (a, b) => countDistinct(b.users) - countDistinct(a.users) || BY_LAST_SEEN(a, b),
};

function matches(group: ErrorGroup, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { type, value, culprit, location, level, platform, lastRelease = '', environments } = group;
  const text = [type, value, culprit, location, level, platform, lastRelease, ...environments]
    .join('\n')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

function hourCounts({ hours }: ErrorGroup, now: number, length: number): number[] {
  const first = Math.floor(now / HOUR_MS) - length + 1;
  const counts = new Array<number>(length).fill(0);
  for (const [hour, count] of hours) if (hour >= first && hour < first + length) counts[hour - first] = count;
  return counts;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
