/** An error with all its occurrences: what is stored of it besides some of the events themselves. */
import type { ErrorEvent, ErrorLevel } from '../event/error-event.ts';
import { userKeyOf } from '../event/error-event.ts';
import type { EventTitle } from '../event/event-title.ts';
import { addDistinct } from './distinct-count.ts';

export type GroupStatus = 'unresolved' | 'resolved' | 'ignored';

export const GROUP_STATUSES: readonly GroupStatus[] = ['unresolved', 'resolved', 'ignored'];

/** An event that is kept: its number, which rises with each one, its bytes as stored, and its id. */
export type KeptEvent = readonly [number: number, bytes: number, id: string];

export interface ErrorGroup extends EventTitle {
  readonly id: string;
  readonly status: GroupStatus;
  /** Milliseconds since 1970, as are all times. */
  readonly statusAt: number;
  readonly level: ErrorLevel;
  readonly platform: string;
  readonly count: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly firstRelease: string | undefined;
  readonly lastRelease: string | undefined;
  readonly environments: readonly string[];
  /** Hash values of those who are affected, for {@link countDistinct}. */
  readonly users: readonly number[];
  /** Events by hour: hours since 1970 and how many, ascending, of a week. */
  readonly hours: readonly (readonly [hour: number, count: number])[];
  /** How often it came again after it was resolved. */
  readonly regressions: number;
  /** Of its first event and its last one, also when they aren't kept any more: the order of those that came in one millisecond. */
  readonly firstNumber: number;
  readonly lastNumber: number;
  /** The newest one last. */
  readonly events: readonly KeptEvent[];
}

export const HOUR_MS = 3_600_000;
const HOURS_MAX = 7 * 24;
const ENVIRONMENTS_MAX = 10;
/** Of a release's name. */
const NAME_MAX = 200;

/** What an event changes in its group. It is unresolved again if it was resolved. */
export function withEvent(
  group: ErrorGroup | undefined,
  id: string,
  event: ErrorEvent,
  title: EventTitle,
  now: number,
  number: number,
): ErrorGroup {
  const release = event.release?.slice(0, NAME_MAX);
  const userKey = userKeyOf(event);
  const isBack = group?.status === 'resolved';
  return {
    ...title,
    id,
    status: !group || isBack ? 'unresolved' : group.status,
    statusAt: !group || isBack ? now : group.statusAt,
    level: event.level,
    platform: event.platform.slice(0, NAME_MAX),
    count: (group?.count ?? 0) + 1,
    firstSeen: group?.firstSeen ?? now,
    lastSeen: now,
    firstRelease: group ? group.firstRelease : release,
    lastRelease: release ?? group?.lastRelease,
    environments: withName(group?.environments ?? [], event.environment),
    users: userKey === undefined ? (group?.users ?? []) : addDistinct(group?.users ?? [], userKey),
    hours: countHour(group?.hours ?? [], Math.floor(now / HOUR_MS)),
    regressions: (group?.regressions ?? 0) + (isBack ? 1 : 0),
    firstNumber: group?.firstNumber ?? number,
    lastNumber: number,
    events: group?.events ?? [],
  };
}

/** One more in this hour. What a clock that was wrong has left of other times goes. */
function countHour(hours: ErrorGroup['hours'], hour: number): ErrorGroup['hours'] {
  const kept = hours.filter(([one]) => one < hour && one > hour - HOURS_MAX);
  const count = hours.find(([one]) => one === hour)?.[1] ?? 0;
  return [...kept, [hour, count + 1]];
}

function withName(names: readonly string[], name: string | undefined): readonly string[] {
  const short = name?.slice(0, NAME_MAX);
  return short === undefined || names.includes(short) ? names : [...names, short].slice(-ENVIRONMENTS_MAX);
}
