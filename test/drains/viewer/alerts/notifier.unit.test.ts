/** How notifications travel: in order, again until they are accepted, and not forever. */
import { describe, expect, it } from 'vitest';
import { NotificationError } from '../../../../drains/viewer/alerts/notify/http-sender.ts';
import { Notifier } from '../../../../drains/viewer/alerts/notify/notifier.ts';
import type { AlertHistory } from '../../../../drains/viewer/alerts/records/alert-history.ts';
import type { AlertEvent, AlertRecord } from '../../../../drains/viewer/alerts/records/alert-records.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { until } from '../../../support/until.ts';

const ALERT: AlertRecord = {
  id: 'alert',
  name: 'alert',
  search: 'search',
  condition: { kind: 'at-least', count: 1, minutes: 1 },
  cooldownMinutes: 0,
  notifyResolved: false,
  enabled: true,
  destinations: ['a', 'b'].map((id) => ({ id, kind: 'webhook', form: 'json', url: 'https://x/y' })),
  createdAt: '',
  updatedAt: '',
};

function event(id: string, ...destinations: string[]): AlertEvent {
  return {
    id,
    kind: 'fired',
    alert: { id: 'alert', name: 'alert' },
    search: { id: 'search', name: 'search', query: '' },
    condition: ALERT.condition,
    count: 1,
    fromMs: 0,
    toMs: 0,
    samples: [],
    deliveries: destinations.map((destination) => ({ destination, state: 'waiting', attempts: 0 })),
  };
}

/** A notifier whose destinations answer as the test says: an error, or nothing when they accept it. */
function notifier(
  answer: (key: string, attempt: number) => Error | undefined,
  alert: AlertRecord | undefined = ALERT,
) {
  const sent: string[] = [];
  const attempts = new Map<string, number>();
  const kept = new Map<string, AlertEvent>();
  const history = {
    update: async (one: AlertEvent) => void kept.set(one.id, one),
  } as unknown as AlertHistory;
  const one = new Notifier({
    history,
    alert: async () => alert,
    send: async (_destination, _event, key) => {
      const attempt = (attempts.get(key) ?? 0) + 1;
      attempts.set(key, attempt);
      const error = answer(key, attempt);
      if (error) throw error;
      sent.push(key);
    },
    log: SILENT_LOG,
    backoff: { firstMs: 1, maxMs: 2 },
  });
  const state = (id: string, destination: string) =>
    kept.get(id)?.deliveries.find((delivery) => delivery.destination === destination);
  return { one, sent, attempts, state };
}

describe('a notification', () => {
  it('is sent again until it is accepted, under the same key, and those behind it wait', async () => {
    const { one, sent, state } = notifier((key, attempt) =>
      key === '1.a' && attempt < 4 ? new Error('busy') : undefined,
    );
    one.add([event('1', 'a', 'b'), event('2', 'a', 'b')]);
    await until('all', () => sent.length === 4);
    expect(sent.filter((key) => key.endsWith('a'))).toEqual(['1.a', '2.a']);
    expect(sent.filter((key) => key.endsWith('b'))).toEqual(['1.b', '2.b']);
    await until('its state', () => state('1', 'a')?.state === 'sent');
    expect(state('1', 'a')).toMatchObject({ state: 'sent', attempts: 4, error: undefined });
    await one.close();
  });

  it('that never will be accepted is given up, and the next one is sent', async () => {
    const { one, sent, attempts, state } = notifier((key) =>
      key === '1.a' ? new NotificationError('x answered 400', true) : undefined,
    );
    one.add([event('1', 'a'), event('2', 'a')]);
    await until('the second', () => sent.includes('2.a'));
    expect(attempts.get('1.a')).toBe(1);
    expect(state('1', 'a')).toMatchObject({ state: 'failed', error: 'x answered 400' });
    await one.close();
  });

  it('is not sent forever', async () => {
    const { one, attempts, state } = notifier(() => new Error('busy'));
    one.add([event('1', 'a')]);
    await until('the end', () => state('1', 'a')?.state === 'failed');
    expect(attempts.get('1.a')).toBe(12);
    await one.close();
  });

  it('is sent again when its receiver wants it to be, and not before', async () => {
    const times: number[] = [];
    const { one, sent } = notifier((_key, attempt) => {
      times.push(performance.now());
      return attempt === 1
        ? new NotificationError('x answered 429', false, { retryAfterMs: 300 })
        : undefined;
    });
    one.add([event('1', 'a')]);
    await until('the second attempt', () => sent.includes('1.a'));
    expect(times[1] - times[0]).toBeGreaterThan(290);
    await one.close();
  });

  it('to one host waits for those before it, and none waits for a host that is slow', async () => {
    const onTheWay: string[] = [];
    const answers: (() => void)[] = [];
    const destinations = ['slow', 'fast'].map((id) => ({
      id,
      kind: 'webhook' as const,
      form: 'json' as const,
      url: `https://${id}/y`,
    }));
    const one = new Notifier({
      history: { update: async () => undefined } as unknown as AlertHistory,
      alert: async () => ({ ...ALERT, destinations }),
      send: async ({ id }, _event, key) => {
        onTheWay.push(key);
        if (id === 'slow') await new Promise<void>((resolve) => answers.push(resolve));
      },
      log: SILENT_LOG,
    });
    const events = Array.from({ length: 200 }, (_, i) => ({
      ...event(String(i), 'slow', 'fast'),
      alert: { id: `alert-${i}`, name: 'one' },
    }));
    one.add(events);
    await until('the fast one', () => onTheWay.filter((key) => key.endsWith('fast')).length === 200);
    expect(answers).toHaveLength(5);
    while (onTheWay.length < 400) {
      for (const answer of answers.splice(0)) answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const answer of answers.splice(0)) answer();
    await one.close();
  });

  it('whose destination was removed is given up', async () => {
    const { one, sent, state } = notifier(() => undefined, { ...ALERT, destinations: [] });
    one.add([event('1', 'a')]);
    await until('the end', () => state('1', 'a')?.state === 'failed');
    expect(sent).toEqual([]);
    await one.close();
  });

  it('is one of a limited number that wait', async () => {
    const { one, state } = notifier(() => new Error('busy'));
    const events = Array.from({ length: 150 }, (_, i) => event(String(i), 'a'));
    one.add(events);
    await until('the excess', () => state('50', 'a')?.state === 'failed');
    expect(state('50', 'a')?.error).toMatch(/more than 100 notifications wait/);
    expect(state('149', 'a')?.state).not.toBe('failed');
    await one.close();
  });
});
