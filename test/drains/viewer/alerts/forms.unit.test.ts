/** What notifications look like, form by form; what a log says is text in them, never markup. */
import { describe, expect, it } from 'vitest';
import { pagerDutyNotification, webhookNotification } from '../../../../drains/viewer/alerts/notify/forms.ts';
import { MailSender, parseSmtpUrl } from '../../../../drains/viewer/alerts/notify/mail-sender.ts';
import { lineText, searchUrl, summaryOf, titleOf } from '../../../../drains/viewer/alerts/notify/message.ts';
import type { AlertEvent, SampleLine } from '../../../../drains/viewer/alerts/records/alert-records.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';

const BASE = 'https://logs.example.com';

function sample(message: string, position = 41): SampleLine {
  return {
    stream: 'stream-1' as AppId,
    streamName: 'shop',
    position,
    receivedAtMs: Date.UTC(2026, 0, 31, 12),
    timestamp: '2026-01-31T11:59:59.000000+00:00',
    facility: 16,
    severity: 3,
    hostname: 'd.1',
    program: 'app/web.1',
    message,
  };
}

function event(change: Partial<AlertEvent> = {}): AlertEvent {
  return {
    id: '0kabcdefg0123456789',
    kind: 'fired',
    alert: { id: 'alert-1', name: 'Payments' },
    search: { id: 'search-1', name: 'Declined', query: 'payment declined', group: 'group-1' },
    condition: { kind: 'at-least', count: 2, minutes: 5 },
    count: 3,
    fromMs: Date.UTC(2026, 0, 31, 12),
    toMs: Date.UTC(2026, 0, 31, 12, 1),
    samples: [sample('payment declined', 41), sample('payment declined again', 43)],
    deliveries: [],
    ...change,
  };
}

const HOSTILE =
  '<!channel> <https://evil.example|click> ``` *bold* & \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202ereversed\nsecond line';

describe('a notification', () => {
  it('says what happened, by kind and condition', () => {
    expect(titleOf(event())).toBe('3 matches: Payments');
    expect(titleOf(event({ value: { field: 'app', value: 'shop' } }))).toBe(
      '3 matches: Payments (app: shop)',
    );
    expect(summaryOf(event())).toBe(
      '“Declined” had 3 matches between 2026-01-31 12:00:00 UTC and 2026-01-31 12:01:00 UTC (at least 2 matches in 5 minutes).',
    );
    const none = event({ condition: { kind: 'none', minutes: 1_500 }, count: 0, unwatchedMs: 61_000 });
    expect(titleOf(none)).toBe('No matches: Payments');
    expect(summaryOf(none)).toContain("For 61 seconds of it the viewer didn't run.");
    expect(titleOf(event({ condition: { kind: 'new-pattern', days: 7, learnMinutes: 0 }, count: 1 }))).toBe(
      '1 new pattern: Payments',
    );
    expect(titleOf(event({ kind: 'resolved' }))).toBe('Resolved: Payments');
  });

  it('links to the search in its time', () => {
    const url = new URL(searchUrl(BASE, event()));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      group: 'group-1',
      q: 'payment declined',
      from: '2026-01-31T11:59:59.000Z',
      to: '2026-01-31T12:01:01.000Z',
    });
  });

  it('as JSON has everything, each line with its link', () => {
    const { contentType, body, url } = webhookNotification('json', 'https://hook.example/x', event(), BASE);
    expect([contentType, url]).toEqual(['application/json', 'https://hook.example/x']);
    const json = JSON.parse(body) as { id: string; lines: { position: string; url: string }[] };
    expect(json).toMatchObject({
      id: '0kabcdefg0123456789',
      kind: 'fired',
      count: 3,
      search: { q: 'payment declined' },
      condition: { kind: 'at-least' },
    });
    expect(json.lines.map(({ position }) => position)).toEqual(['41', '43']);
    expect(json.lines[0].url).toBe(`${BASE}/?stream=stream-1&line=stream-1.41`);
  });

  it('in Papertrail’s form is a field of a form with JSON', () => {
    const { contentType, body } = webhookNotification('papertrail', 'https://hook.example/x', event(), BASE);
    expect(contentType).toBe('application/x-www-form-urlencoded');
    const payload = JSON.parse(new URLSearchParams(body).get('payload') ?? '') as object;
    expect(payload).toMatchObject({
      saved_search: { id: 'search-1', name: 'Declined', query: 'payment declined' },
      min_id: '41',
      max_id: '43',
      events: [
        {
          id: '41',
          received_at: '2026-01-31T12:00:00.000Z',
          generated_at: '2026-01-31T11:59:59.000000+00:00',
          source_name: 'shop',
          program: 'app/web.1',
          facility: 'Local0',
          severity: 'Error',
          message: 'payment declined',
        },
        { id: '43' },
      ],
    });
  });

  it('in Slack’s form has neither links, mentions nor formats of a log', () => {
    const hostile = event({
      alert: { id: 'a', name: '<!here> *x*' },
      samples: [sample(HOSTILE)],
      patterns: [HOSTILE],
    });
    const { text } = JSON.parse(
      webhookNotification('slack', 'https://hook.example/x', hostile, BASE).body,
    ) as { text: string };
    const [, inside] = text.split('```');
    expect(text.split('```')).toHaveLength(3);
    expect(text).not.toMatch(/<!/);
    expect(inside).not.toMatch(/[<>\x1b\u202e]/);
    expect(inside).toContain('&lt;https://evil.example|click&gt;');
    // The only link is ours.
    expect([...text.matchAll(/<([^>|]*)/g)].map(([, link]) => link)).toEqual([searchUrl(BASE, hostile)]);
  });

  it('in ntfy’s form is published to its topic', () => {
    const { url, body } = webhookNotification(
      'ntfy',
      'https://ntfy.example/base/my%20topic?auth=x',
      event(),
      BASE,
    );
    expect(url).toBe('https://ntfy.example/base/?auth=x');
    expect(JSON.parse(body)).toMatchObject({
      topic: 'my topic',
      title: '3 matches: Payments',
      priority: 4,
      click: searchUrl(BASE, event()),
    });
  });

  it('to PagerDuty triggers, and resolves under the same key', () => {
    const of = (change: Partial<AlertEvent>): Record<string, unknown> =>
      JSON.parse(pagerDutyNotification('0123456789abcdef', undefined, event(change), BASE).body) as Record<
        string,
        unknown
      >;
    const fired = of({ value: { field: 'app', value: 'shop' } });
    const other = of({ value: { field: 'app', value: 'blog' } });
    const resolved = of({ kind: 'resolved', value: { field: 'app', value: 'shop' } });
    expect([fired.event_action, resolved.event_action]).toEqual(['trigger', 'resolve']);
    expect(resolved.dedup_key).toBe(fired.dedup_key);
    expect(other.dedup_key).not.toBe(fired.dedup_key);
    expect(of({ kind: 'test' }).dedup_key).not.toBe(of({}).dedup_key);
  });

  it('to PagerDuty has another key for each value, however long and alike they are', () => {
    const keyOf = (value: string, kind: AlertEvent['kind'] = 'fired'): string => {
      const sent = pagerDutyNotification(
        'key',
        undefined,
        event({ kind, value: { field: 'f', value } }),
        BASE,
      );
      return JSON.parse(sent.body).dedup_key;
    };
    // Each is six characters as JSON.
    const [one, other] = [1, 2].map((n) => '\u0001'.repeat(199) + n);
    expect(keyOf(one)).not.toBe(keyOf(other));
    expect(keyOf(one)).toBe(keyOf(one, 'resolved'));
    for (const value of [one, other, 'x']) expect(keyOf(value).length).toBeLessThanOrEqual(255);
  });

  it('cuts no character in two', () => {
    const faces = '😀'.repeat(3_000);
    for (const shift of ['', 'x']) {
      const told = event({
        samples: Array.from({ length: 9 }, () => sample(shift + faces)),
        patterns: [shift + faces],
      });
      const bodies = [
        pagerDutyNotification('key', undefined, { ...told, alert: { id: 'a', name: shift + faces } }, BASE)
          .body,
        ...(['json', 'slack', 'ntfy'] as const).map(
          (form) => webhookNotification(form, 'https://h.example/topic', told, BASE).body,
        ),
      ];
      // A half one would be written as an escape.
      for (const body of bodies) expect(body).not.toMatch(/\\ud[89a-f]/i);
    }
  });

  it('shows lines on one line, with nothing hidden in them', () => {
    expect(lineText(sample(HOSTILE))).not.toMatch(/[\x00-\x1f\x7f\u202e]/);
    expect(lineText(sample('x'.repeat(10_000))).length).toBeLessThanOrEqual(500);
  });
});

describe('the address of an SMTP server', () => {
  it('says how it is encrypted, and who logs in', () => {
    expect(parseSmtpUrl('smtps://me%40x:p%3Aw@mail.example')).toEqual({
      host: 'mail.example',
      port: 465,
      secure: true,
      requireTLS: false,
      auth: { user: 'me@x', pass: 'p:w' },
    });
    expect(parseSmtpUrl('smtp://mail.example')).toMatchObject({ port: 587, secure: false, requireTLS: true });
    expect(parseSmtpUrl('smtp://127.0.0.1:2525')).toMatchObject({ port: 2525, requireTLS: false });
  });

  it('and a sender that is none are said at the start', () => {
    for (const from of ['', 'a@b.example', 'Logs <a@b.example>', '"L, ogs" <a@b.example>'])
      expect(new MailSender({ smtpUrl: '', from }).isSet).toBe(false);
    for (const from of ['Logs', 'a b@c', 'a@b.example, c@d.example', 'Logs\r\nBcc: x <a@b.example>', 'x <>'])
      expect(() => new MailSender({ smtpUrl: '', from })).toThrow(/^VIEWER_SMTP_FROM must be an address/);
  });

  it.each(['mail.example', 'http://mail.example', 'smtp://', 'smtp://u:%@h'])(
    '%s is none, and its password isn’t repeated',
    (text) => {
      expect(() => parseSmtpUrl(text)).toThrow(/VIEWER_SMTP_URL must be smtps:/);
    },
  );
});
