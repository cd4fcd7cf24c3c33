import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../../src/apps/addon-services/errors/event/error-event.ts';
import { titleOf } from '../../../../src/apps/addon-services/errors/event/event-title.ts';
import {
  addDistinct,
  countDistinct,
} from '../../../../src/apps/addon-services/errors/store/distinct-count.ts';
import { type ErrorGroup, HOUR_MS } from '../../../../src/apps/addon-services/errors/store/error-group.ts';
import {
  ErrorState,
  type IncomingEvent,
  KEEP_LIMITS,
  NO_ERRORS,
} from '../../../../src/apps/addon-services/errors/store/error-state.ts';

const T0 = Date.parse('2026-11-28T10:00:00Z');
let ids = 0;

function incoming(
  group: string,
  more: Partial<IncomingEvent> & { readonly fields?: object } = {},
): IncomingEvent {
  const event = readEvent({ message: group, ...more.fields });
  const id = `id-${ids++}`;
  return { group, id, event, title: titleOf(event), packed: Buffer.alloc(100), receivedAt: T0, ...more };
}

const newState = (limits = {}): ErrorState => new ErrorState([], NO_ERRORS, { ...KEEP_LIMITS, ...limits });

describe('a group', () => {
  it('counts events by hour, users, releases and environments', () => {
    const state = newState();
    for (let i = 0; i < 5; i++)
      state.add(
        incoming('a', {
          receivedAt: T0 + i * HOUR_MS,
          fields: { user: { id: i % 2 }, release: `r${i}`, environment: i < 3 ? 'staging' : 'production' },
        }),
      );
    const group = state.groups.get('a');
    expect(group).toMatchObject({
      count: 5,
      firstSeen: T0,
      lastSeen: T0 + 4 * HOUR_MS,
      firstRelease: 'r0',
      lastRelease: 'r4',
      environments: ['staging', 'production'],
    });
    expect(group?.hours.map(([, count]) => count)).toEqual([1, 1, 1, 1, 1]);
    expect(countDistinct(group?.users ?? [])).toBe(2);
  });

  it('is new once, comes back when it was resolved, and stays silent when it is ignored', () => {
    const state = newState();
    const kinds = (): string => state.add(incoming('a')).kind;
    expect([kinds(), kinds()]).toEqual(['new', 'known']);
    state.setStatus('a', 'resolved', T0 + 5);
    expect(state.add(incoming('a'))).toMatchObject({
      kind: 'regression',
      group: { status: 'unresolved', regressions: 1 },
    });
    expect(kinds()).toBe('known');
    state.setStatus('a', 'ignored', T0);
    expect(kinds()).toBe('known');
    expect(state.groups.get('a')?.status).toBe('ignored');
    state.remove('a');
    expect([state.eventCount, state.keptBytes, state.groups.size]).toEqual([0, 0, 0]);
    expect(kinds()).toBe('new');
  });

  it('counts an event that is sent twice once', () => {
    const state = newState();
    state.add(incoming('a', { id: 'same' }));
    expect(state.add(incoming('a', { id: 'same' })).kind).toBe('again');
    expect(state.groups.get('a')?.count).toBe(1);
  });

  it('forgets the hours that a wrong clock has left', () => {
    const state = newState();
    for (const receivedAt of [T0 + 1e10, T0 - 1e10, T0, T0]) state.add(incoming('a', { receivedAt }));
    expect(state.groups.get('a')?.hours).toEqual([[T0 / HOUR_MS, 2]]);
    for (let i = 0; i < 500; i++) state.add(incoming('a', { receivedAt: T0 + i * HOUR_MS }));
    expect(state.groups.get('a')?.hours.length).toBe(168);
  });
});

describe('what is kept is bounded', () => {
  it('in events and bytes of a group', () => {
    const state = newState({ groupEvents: 3, groupBytes: 250 });
    for (let i = 0; i < 10; i++) state.add(incoming('a', { id: `e${i}` }));
    expect(state.groups.get('a')).toMatchObject({
      count: 10,
      events: [
        [9, 100, 'e8'],
        [10, 100, 'e9'],
      ],
    });
    expect(state.counters).toEqual({ events: 10, evictedEvents: 8, evictedGroups: 0 });
    // A large one is there all the same.
    state.add(incoming('a', { id: 'large', packed: Buffer.alloc(10_000) }));
    expect(state.groups.get('a')?.events.map(([, , id]) => id)).toEqual(['large']);
  });

  it('in events and bytes of all: the oldest goes first, whosever it is', () => {
    const state = newState({ events: 4 });
    for (const group of ['a', 'b', 'a', 'c', 'a', 'b']) state.add(incoming(group));
    const kept = [...state.groups.values()].map(({ id, events }) => [id, events.length]);
    expect(Object.fromEntries(kept)).toEqual({ a: 2, b: 1, c: 1 });
    expect(state.eventCount).toBe(4);
    const bytes = newState({ bytes: 250 });
    for (const group of ['a', 'b', 'c']) bytes.add(incoming(group));
    expect(bytes.groups.get('a')).toMatchObject({ count: 1, events: [] });
    expect(bytes.keptBytes).toBe(200);
  });

  it('in groups: what was seen longest ago goes first', () => {
    const state = newState({ groups: 100 });
    for (let i = 0; i < 10_000; i++) {
      state.add(incoming(`g${i}`));
      state.add(incoming('often'));
    }
    expect(state.groups.size).toBe(100);
    expect(state.groups.get('often')?.count).toBe(10_000);
    expect(state.groups.has('g9999')).toBe(true);
    expect(state.counters.evictedGroups).toBe(9_901);
  });

  it('and is the same after it was read again', () => {
    const state = newState({ events: 20, groups: 7 });
    for (let i = 0; i < 200; i++) state.add(incoming(`g${(i * i) % 11}`));
    const again = new ErrorState([...state.groups.values()].reverse(), state.counters, {
      ...KEEP_LIMITS,
      events: 20,
      groups: 7,
    });
    expect([again.eventCount, again.keptBytes]).toEqual([state.eventCount, state.keptBytes]);
    for (const one of [state, again]) for (let i = 0; i < 5; i++) one.add(incoming(`h${i}`, { id: `h${i}` }));
    expect(new Set(again.groups.keys())).toEqual(new Set(state.groups.keys()));
  });

  it('and in its order also when no event of a group is kept', () => {
    const state = newState({ events: 1 });
    for (const group of ['c', 'a', 'b', 'd']) state.add(incoming(group));
    const again = new ErrorState(
      [...state.groups.values()].toSorted((x, y) => x.id.localeCompare(y.id)),
      state.counters,
      KEEP_LIMITS,
    );
    expect([...again.groups.keys()]).toEqual(['c', 'a', 'b', 'd']);
    // Records of before had no numbers.
    const old = [...state.groups.values()].map(
      ({ firstNumber: _, lastNumber: __, ...group }) => group as ErrorGroup,
    );
    const upgraded = new ErrorState(old, state.counters, KEEP_LIMITS);
    expect([...upgraded.groups.values()].map(({ lastNumber }) => lastNumber)).toEqual([0, 0, 0, 4]);
    expect(upgraded.add(incoming('e')).group.lastNumber).toBe(5);
  });

  it('and what is to be written is what was changed', () => {
    const state = newState({ groupEvents: 1 });
    state.add(incoming('a'));
    state.add(incoming('a'));
    state.add(incoming('b'));
    const { groups, events } = state.takeChanges();
    expect([...groups]).toEqual(['a', 'b']);
    expect([...events].map(([number, packed]) => [number, packed !== undefined])).toEqual([
      [1, false],
      [2, true],
      [3, true],
    ]);
    expect(state.takeChanges().groups.size).toBe(0);
  });
});

it('many different texts are counted in bounded space, nearly right', () => {
  let kept: readonly number[] = [];
  for (let i = 0; i < 20_000; i++) kept = addDistinct(kept, `user ${i % 10_000}`);
  expect(kept.length).toBe(256);
  expect(countDistinct(kept)).toBeGreaterThan(8_000);
  expect(countDistinct(kept)).toBeLessThan(12_000);
});
