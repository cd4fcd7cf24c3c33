import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readEvent } from '../../../../src/apps/addon-services/errors/event/error-event.ts';
import { titleOf } from '../../../../src/apps/addon-services/errors/event/event-title.ts';
import {
  GROUP_SORTS,
  type GroupSort,
  selectGroups,
} from '../../../../src/apps/addon-services/errors/page/group-json.ts';
import type { AddedEvent } from '../../../../src/apps/addon-services/errors/store/error-state.ts';
import { ERRORS_FILE, ErrorStore } from '../../../../src/apps/addon-services/errors/store/error-store.ts';

const T0 = Date.parse('2026-11-28T10:00:00Z');

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const refuseDamage = (what: string): never => {
  throw new Error(what);
};

function add(store: ErrorStore, group: string, id: string, more = ''): Promise<AddedEvent> {
  const raw = { message: group, event_id: id, ...(more && { extra: { more } }) };
  const event = readEvent(raw);
  return store.add(
    { group, id, event, title: titleOf(event), receivedAt: T0 },
    { receivedAt: T0, cut: 0, event: raw },
  );
}

describe('the store of errors', () => {
  it('has what was added when it is opened again', async () => {
    const folder = folderForTest();
    const store = new ErrorStore(folder, refuseDamage);
    await Promise.all(Array.from({ length: 100 }, (_, i) => add(store, `g${i % 3}`, `e${i}`)));
    await store.setStatus('g1', 'resolved', T0);
    await store.remove('g2');
    expect(await store.remove('g2')).toBeUndefined();
    expect(await store.setStatus('none', 'resolved', T0)).toBeUndefined();
    await store.close();

    const again = new ErrorStore(folder, refuseDamage);
    expect([...again.groups.values()].map(({ id, status, count }) => [id, status, count]).sort()).toEqual([
      ['g0', 'unresolved', 34],
      ['g1', 'resolved', 33],
    ]);
    expect(again.counters.events).toBe(100);
    const number = again.numberOf('e99') ?? 0;
    expect(await again.event(number)).toEqual({
      receivedAt: T0,
      cut: 0,
      event: { message: 'g0', event_id: 'e99' },
    });
    expect(again.groupOfEvent(number)).toBe('g0');
    expect(await again.event(99_999)).toBeUndefined();
    // Numbers go on.
    await add(again, 'g0', 'next');
    expect(again.numberOf('next')).toBeGreaterThan(number);
    await again.close();
  });

  it('has events in the order in which they came, also of one millisecond, and when it is opened again', async () => {
    const folder = folderForTest();
    const store = new ErrorStore(folder, refuseDamage);
    // The first ones take longest to be packed.
    const came = Array.from({ length: 20 }, (_, i) => `g${(i * 7) % 20}`);
    const sizes = came.map((_, i) => (i % 5 === 0 ? 500_000 : 10));
    await Promise.all(
      came.map((group, i) => add(store, group, `e${i}`, randomBytes(sizes[i]).toString('hex'))),
    );
    const idsOf = ({ groups }: ErrorStore, sort: GroupSort): string[] =>
      selectGroups(groups.values(), { status: 'all', query: '', sort }).map(({ id }) => id);
    expect(came.map((_, i) => store.numberOf(`e${i}`))).toEqual(came.map((_, i) => i + 1));
    for (const sort of GROUP_SORTS) expect(idsOf(store, sort), sort).toEqual(came.toReversed());
    await add(store, came[3], 'again');
    const byLast = [came[3], ...came.toReversed().filter((id) => id !== came[3])];
    await store.close();
    const again = new ErrorStore(folder, refuseDamage);
    for (const one of [store, again]) {
      expect(idsOf(one, 'last_seen')).toEqual(byLast);
      expect(idsOf(one, 'first_seen')).toEqual(came.toReversed());
    }
    await again.close();
  });

  it('leaves out a group whose record is damaged, with its events', async () => {
    const folder = folderForTest();
    const store = new ErrorStore(folder, refuseDamage);
    for (const group of ['a', 'b']) await add(store, group, `of ${group}`);
    const number = store.numberOf('of a') ?? 0;
    await store.close();
    const root = open({ path: join(folder, ERRORS_FILE), maxDbs: 4, encoding: 'binary' });
    await root.openDB({ name: 'groups', encoding: 'binary' }).put('a', Buffer.from('nonsense'));
    await root.close();
    const again = new ErrorStore(folder, refuseDamage);
    expect([...again.groups.keys()]).toEqual(['b']);
    expect(again.damagedGroups).toBe(1);
    expect(await again.event(number)).toBeUndefined();
    // It begins anew.
    expect((await add(again, 'a', 'of a')).kind).toBe('new');
    await again.close();
  });

  it('sets a damaged file aside, says so, and goes on', async () => {
    const folder = folderForTest();
    const store = new ErrorStore(folder, refuseDamage);
    for (let i = 0; i < 200; i++) await add(store, `g${i}`, `e${i}`);
    await store.close();
    const file = join(folder, ERRORS_FILE);
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 8_192);
    writeFileSync(file, bytes);
    const told: string[][] = [];
    const again = new ErrorStore(folder, (...what) => told.push(what));
    expect(told).toEqual([[expect.any(String), `${file}.damaged`]]);
    expect(readFileSync(`${file}.damaged`)).toEqual(bytes);
    await add(again, 'new', 'new');
    expect([...again.groups.keys()]).toEqual(['new']);
    await again.close();
  });
});
