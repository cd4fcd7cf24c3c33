import { describe, expect, it } from 'vitest';
import { cleanEvent } from '../../../../src/apps/addon-services/errors/event/clean-event.ts';
import {
  readEvent,
  readTime,
  userKeyOf,
} from '../../../../src/apps/addon-services/errors/event/error-event.ts';
import { titleOf } from '../../../../src/apps/addon-services/errors/event/event-title.ts';

const read = (json: string) => readEvent(JSON.parse(json));

describe('an event is read', () => {
  it('of the forms that SDKs have sent over the years', () => {
    const now =
      read(`{"event_id":"A1B2C3D4-0000-1111-2222-333344445555","level":"fatal","release":"1","timestamp":"2026-11-28T10:00:00.5Z",
      "exception":{"values":[{"type":"A","value":"a"},{"type":"B","value":"b","mechanism":{"type":"x","handled":false},
      "stacktrace":{"frames":[{"function":"f","filename":"f.py","abs_path":"/app/f.py","lineno":3,"in_app":true,"vars":{"x":1}}]}}]},
      "tags":{"a":"b","n":1},"user":{"id":7},"breadcrumbs":{"values":[{"message":"m","timestamp":1}]}}`);
    expect(now).toMatchObject({
      id: 'a1b2c3d4000011112222333344445555',
      level: 'fatal',
      atMs: Date.parse('2026-11-28T10:00:00.5Z'),
      exceptions: [{ type: 'A' }, { type: 'B', isHandled: false, mechanism: 'x' }],
      tags: [
        ['a', 'b'],
        ['n', '1'],
      ],
      breadcrumbs: [{ message: 'm', atMs: 1_000 }],
    });
    expect(now.exceptions[1].frames[0]).toMatchObject({ path: '/app/f.py', line: 3, isInApp: true });
    expect(titleOf(now)).toEqual({ type: 'B', value: 'b', culprit: 'f (f.py)', location: 'f.py:3' });
    expect(userKeyOf(now)).toBe('id:7');

    const raven = read(`{"event_id":"a1b2c3d4000011112222333344445555","level":40,"culprit":"shop.view",
      "sentry.interfaces.Message":{"message":"%s failed","params":["x"]},"sentry.interfaces.Http":{"url":"/a"},
      "tags":[["a","b"],{"key":"c","value":"d"}],"timestamp":"2026-11-28T10:00:00"}`);
    expect(raven).toMatchObject({
      level: 'error',
      message: 'x failed',
      messageTemplate: '%s failed',
      transaction: 'shop.view',
      request: { url: '/a' },
      tags: [
        ['a', 'b'],
        ['c', 'd'],
      ],
      atMs: Date.parse('2026-11-28T10:00:00Z'),
    });
    expect(read('{"exception":[{"type":"A","value":"a"}]}').exceptions).toHaveLength(1);
    expect(read('{"exception":{"type":"A","value":"a"}}').exceptions).toHaveLength(1);
    const threads = read(
      '{"threads":{"values":[{"crashed":true,"stacktrace":{"frames":[{"function":"f"}]}}]}}',
    );
    expect(threads.frames).toHaveLength(1);
  });

  it('whatever is in it', () => {
    for (const value of [
      'null',
      '[]',
      '{}',
      '"x"',
      '1e999',
      'true',
      '[null,1,"x",[[]],{}]',
      '{"values":null}',
    ]) {
      const all = [
        'event_id',
        'timestamp',
        'level',
        'exception',
        'logentry',
        'message',
        'tags',
        'user',
        'request',
      ];
      const more = [
        'breadcrumbs',
        'contexts',
        'extra',
        'sdk',
        'fingerprint',
        'threads',
        'stacktrace',
        'release',
      ];
      const event = read(`{${[...all, ...more].map((key) => `"${key}":${value}`).join(',')}}`);
      expect(typeof titleOf(event).value).toBe('string');
    }
    expect(read('{"level":"constructor"}').level).toBe('error');
    expect(readEvent({}).level).toBe('error');
  });

  it('with times that no calendar has as without one', () => {
    for (const value of ['', 'x', 1e300, Number.NaN, null, {}, '2026-13-45', '9'.repeat(1_000)])
      expect(readTime(value)).toBeUndefined();
    expect(readTime(0)).toBe(0);
  });
});

describe('an event is kept', () => {
  it('without what is called like a secret', () => {
    const { event } = cleanEvent(
      JSON.parse(`{"extra":{"password":"p","API_KEY":"k","nested":{"client_secret":{"a":1}},"author":"ann","empty_password":""},
        "request":{"headers":[["Authorization","Basic x"],["Accept","*"]],"cookies":"a=b"}}`),
    );
    expect(event).toEqual({
      extra: {
        password: '[Filtered]',
        API_KEY: '[Filtered]',
        nested: { client_secret: '[Filtered]' },
        author: 'ann',
        empty_password: '',
      },
      request: {
        headers: [
          ['Authorization', '[Filtered]'],
          ['Accept', '*'],
        ],
        cookies: '[Filtered]',
      },
    });
  });

  it('in bounded size, with what tells most', () => {
    const huge = 'x'.repeat(100_000);
    const crumbs = Array.from({ length: 5_000 }, (_, i) => ({ message: `${i} ${huge.slice(0, 500)}` }));
    const { event, cut } = cleanEvent({
      extra: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, huge])),
      breadcrumbs: { values: crumbs },
      exception: { values: [{ type: 'E', value: huge }] },
    });
    expect(JSON.stringify(event).length).toBeLessThan(500_000);
    expect(cut).toBeGreaterThan(1_000);
    const kept = readEvent(event);
    expect(kept.exceptions[0]).toMatchObject({ type: 'E', value: `${'x'.repeat(8_192)}…` });
    expect(kept.breadcrumbs.at(-1)?.message).toMatch(/^4999 /);
  });

  it('with its nesting cut, and names that objects have of their own as any other', () => {
    let deep = '1';
    for (let i = 0; i < 90; i++) deep = `{"a":${deep}}`;
    const { event } = cleanEvent(
      JSON.parse(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"extra":${deep}}`),
    );
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(Object.keys(event).sort()).toEqual(['__proto__', 'constructor', 'extra']);
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype);
    expect(JSON.stringify(event)).toContain('{…}');
    expect(readEvent(event).tags).toEqual([]);
  });
});
