/** What an alert may be, and what of its secrets is shown. */
import { describe, expect, it } from 'vitest';
import {
  assertAlertQuery,
  destinationView,
  readAlert,
  readSavedQuery,
} from '../../../../drains/viewer/alerts/records/read-alert.ts';

const CONDITION = { kind: 'at-least', count: 1, minutes: 10 };

describe('an alert that somebody wants', () => {
  it.each([
    [{}, /condition must be given/],
    [{ condition: { kind: 'often' } }, /at-least, none or new-pattern/],
    [{ condition: { ...CONDITION, count: 0 } }, /condition\.count must be a number from 1/],
    [{ condition: { ...CONDITION, count: 1.5 } }, /whole number/],
    [{ condition: { ...CONDITION, minutes: '5' } }, /condition\.minutes must be a number/],
    [{ condition: { ...CONDITION, minutes: Number.NaN } }, /condition\.minutes must be a number/],
    [{ condition: { ...CONDITION, hours: 1 } }, /condition\.hours doesn't belong to at-least/],
    [{ condition: { kind: 'new-pattern', days: 7 }, group_by: 'app' }, /can't be grouped/],
    [{ condition: CONDITION, group_by: 'two words' }, /name of a field/],
    [{ condition: CONDITION, cooldown_minutes: -1 }, /cooldown_minutes/],
    [{ condition: CONDITION, muted_until: 'later' }, /muted_until/],
    [{ condition: CONDITION, destinations: [7] }, /must be an object/],
    [{ condition: CONDITION, destinations: [{ kind: 'fax' }] }, /webhook, pagerduty or email/],
    [
      { condition: CONDITION, destinations: [{ kind: 'webhook', url: 'ftp://x/y' }] },
      /must begin with https/,
    ],
    ...['hooks.example/x', 'https://x:0/', 'https://%ff:a@x/', `https://x/${'y'.repeat(9_000)}`].map(
      (url) =>
        [
          { condition: CONDITION, destinations: [{ kind: 'webhook', url }] },
          /^url of a destination must be an address of up to/,
        ] as const,
    ),
    [
      { condition: CONDITION, destinations: [{ kind: 'webhook', url: 'syslog://x:1' }] },
      /must begin with https/,
    ],
    [
      { condition: CONDITION, destinations: [{ kind: 'webhook', form: 'teams', url: 'https://x/y' }] },
      /form must be one of/,
    ],
    [
      { condition: CONDITION, destinations: [{ kind: 'webhook', form: 'ntfy', url: 'https://ntfy.sh/' }] },
      /end with its topic/,
    ],
    [{ condition: CONDITION, destinations: [{ kind: 'pagerduty', routing_key: 'a b' }] }, /routing_key/],
    [{ condition: CONDITION, destinations: [{ kind: 'email', to: ['a@b\r\nBcc: c@d'] }] }, /no mail address/],
    [{ condition: CONDITION, destinations: [{ kind: 'email', to: [] }] }, /1 to 20 mail addresses/],
    [
      { condition: CONDITION, destinations: [{ id: 'x', kind: 'email', to: ['a@b.c'] }] },
      /no destination with the id/,
    ],
  ] as const)('is refused with what to do: %j', (input, sentence) => {
    expect(() => readAlert(input as Parameters<typeof readAlert>[0], undefined)).toThrow(sentence);
  });

  it('has usual settings where nothing is said', () => {
    expect(readAlert({ name: ' Errors ', condition: CONDITION }, undefined)).toEqual({
      name: 'Errors',
      condition: CONDITION,
      cooldownMinutes: 10,
      notifyResolved: false,
      enabled: true,
      destinations: [],
    });
  });

  it('keeps secrets that are sent back as they were shown, and shows none', () => {
    const secret = 'https://hooks.slack.com/services/T0/B0/secret?token=xyz';
    const first = readAlert(
      {
        name: 'x',
        condition: CONDITION,
        destinations: [
          { kind: 'webhook', form: 'slack', url: secret },
          { kind: 'pagerduty', routing_key: '0123456789abcdef' },
          { kind: 'webhook', url: 'https://user:pw@host.example/' },
        ],
      },
      undefined,
    );
    const shown = first.destinations.map(destinationView);
    expect(JSON.stringify(shown)).not.toMatch(/secret|token|xyz|T0|01234567|pw|user/);
    const second = readAlert({ destinations: shown, name: 'y' }, first);
    expect(second.destinations).toEqual(first.destinations);
    const third = readAlert({ destinations: [{ id: first.destinations[0].id, form: 'json' }] }, first);
    expect(third.destinations).toEqual([{ ...first.destinations[0], form: 'json' }]);
  });

  it('sends a key to no other address than it was given for', () => {
    const first = readAlert(
      {
        name: 'x',
        condition: CONDITION,
        destinations: [{ kind: 'pagerduty', routing_key: '0123456789abcdef' }],
      },
      undefined,
    );
    const [shown] = first.destinations.map(destinationView);
    const moved = { ...shown, url: 'https://elsewhere.example/v2/enqueue' };
    expect(() => readAlert({ destinations: [moved] }, first)).toThrow(/give routing_key with the new url/);
    const own = readAlert({ destinations: [{ ...moved, routing_key: 'fedcba9876543210' }] }, first);
    expect(own.destinations).toMatchObject([{ url: moved.url, routingKey: 'fedcba9876543210' }]);
    // As it is shown it stays, the address too.
    expect(readAlert({ destinations: own.destinations.map(destinationView) }, own).destinations).toEqual(
      own.destinations,
    );
    const other = { ...own.destinations.map(destinationView)[0], url: 'https://third.example/' };
    expect(() => readAlert({ destinations: [other] }, own)).toThrow(/give routing_key/);
  });

  it('of another form has an address that this form takes', () => {
    const first = readAlert(
      { name: 'x', condition: CONDITION, destinations: [{ kind: 'webhook', url: 'https://ntfy.example/' }] },
      undefined,
    );
    const { id } = first.destinations[0];
    expect(() => readAlert({ destinations: [{ id, form: 'ntfy' }] }, first)).toThrow(/its topic/);
  });

  it.each(['1', 'foo 1', '2h', '18:00', 'today', 'Jan 5', '2026-02-30', '99999999999999'])(
    'is not muted until %j, which is no time to come, or another one each day',
    (muted_until) =>
      expect(() => readAlert({ name: 'x', condition: CONDITION, muted_until }, undefined)).toThrow(
        /muted_until must be a time such as/,
      ),
  );

  it('can be told again, and no longer be muted or grouped', () => {
    const first = readAlert(
      { name: 'x', condition: CONDITION, group_by: 'app', muted_until: '2026-01-31T12:00:00Z' },
      undefined,
    );
    expect(first).toMatchObject({ groupBy: 'app', mutedUntil: '2026-01-31T12:00:00.000Z' });
    const second = readAlert({ group_by: '', muted_until: '' }, first);
    expect([second.groupBy, second.mutedUntil, second.condition]).toEqual([undefined, undefined, CONDITION]);
  });

  it('looks at what comes: its search has no time', () => {
    expect(() => assertAlertQuery('error since:1h')).toThrow(/take `since:` and `until:` out/);
    expect(() => readSavedQuery('(error')).toThrow(/parenthesis/);
    expect(readSavedQuery(' error ')).toBe('error');
  });
});
