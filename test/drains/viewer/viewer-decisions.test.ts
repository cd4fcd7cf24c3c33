/** What the viewer decides without a server: settings, positions, roles, attempts, parameters. */
import { describe, expect, it } from 'vitest';
import { Grant } from '../../../drains/viewer/access/grant.ts';
import { readBody } from '../../../drains/viewer/api/body.ts';
import {
  readPageCursor,
  readPositions,
  writePageCursor,
  writePositions,
} from '../../../drains/viewer/api/lines/positions.ts';
import { Parameters } from '../../../drains/viewer/api/parameters.ts';
import { logRouterSettings, readViewerSettings } from '../../../drains/viewer/config/settings.ts';
import { flagOf, SECRET_SETTINGS, VIEWER_SETTINGS } from '../../../drains/viewer/config/settings-table.ts';
import { AttemptLimits } from '../../../src/logs/access/attempt-limits.ts';
import { hashPassword, isPassword } from '../../../src/logs/access/passwords.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';

describe('settings', () => {
  it('a flag goes before its variable, that before the default; the log router gets its own names', () => {
    const settings = readViewerSettings(
      { VIEWER_HTTP_PORT: '1', VIEWER_HOST: '::1' },
      { VIEWER_HTTP_PORT: '2' },
    );
    expect(settings).toMatchObject({ httpPort: 2, host: '::1', syslogPort: 6620, durability: 'process' });
    expect(logRouterSettings({ ...settings, tlsCert: 'c', tlsKey: 'k' })).toMatchObject({
      httpPort: 2,
      syslogTlsCert: 'c',
      syslogTlsKey: 'k',
      redisUrl: '',
    });
  });

  it.each([
    [{ VIEWER_API_KEY: 'short' }, /20 characters/],
    [{ VIEWER_TOKEN: 'x' }, /VIEWER_TOKEN must be t\./],
    [{ VIEWER_TLS_CERT: 'c.pem' }, /both VIEWER_TLS_CERT and VIEWER_TLS_KEY/],
    [{ VIEWER_HTTP_PORT: 'x' }, /VIEWER_HTTP_PORT is "x": it must be a port/],
    [{ VIEWER_PUBLIC_URL: 'logs.example.com' }, /VIEWER_PUBLIC_URL/],
    [{ VIEWER_DURABILITY: 'maybe' }, /VIEWER_DURABILITY/],
    [
      { VIEWER_TRUST_PROXY: 'perhaps' },
      /VIEWER_TRUST_PROXY is "perhaps": it must be yes, no, or addresses or networks/,
    ],
    [{ VIEWER_KEY_: 'x' }, /There is no setting VIEWER_KEY_: did you mean VIEWER_KEY\?/],
  ])('%j is refused', (environment, sentence) => {
    expect(() => readViewerSettings(environment)).toThrow(sentence);
  });

  it('are called in errors as they were given', () => {
    expect(() => readViewerSettings({}, { VIEWER_HTTP_PORT: 'x' })).toThrow(/^--http-port is "x": /);
  });

  it('each has one variable and one flag, and a meaning; secrets have no flag', () => {
    const variables = Object.values(VIEWER_SETTINGS).map(({ variable }) => variable);
    expect(new Set(variables.map(flagOf)).size).toBe(variables.length);
    for (const { variable, meaning } of Object.values(VIEWER_SETTINGS)) {
      expect(variable).toMatch(/^VIEWER_[A-Z_]+$/);
      expect(meaning).not.toMatch(/TAILRACE_/);
    }
    for (const name of SECRET_SETTINGS) expect(variables).toContain(name);
  });
});

describe('positions', () => {
  const streams = [1, 40, 4_000].map((number) => ({ number, id: `stream-${number}` as AppId }));

  it('are read as they were written, and those of streams that aren’t selected are left out', () => {
    const positions = new Map([
      [streams[0].id, 0],
      [streams[1].id, 123_456_789],
      [streams[2].id, 9_007_199_254_740_991],
    ]);
    const text = writePositions(positions, streams);
    expect(text).toMatch(/^[0-9a-z.-]{1,40}$/);
    expect(readPositions(text, streams, 'after')).toEqual(positions);
    expect(readPositions(text, streams.slice(0, 1), 'after')).toEqual(new Map([[streams[0].id, 0]]));
    expect(readPositions(writePositions(new Map(), streams), streams, 'after')).toEqual(new Map());
  });

  it.each(['x', '1', '1.', '1.2-', '-1.2', '1.2.3', '1.zzzzzzzzzzzz', '1.2 ', '1.A'])(
    '%j is none',
    (text) => {
      expect(() => readPositions(text, streams, 'after')).toThrow(/after must be a position/);
    },
  );

  it('a page’s cursor is read as it was written, and anything else is refused', () => {
    expect(readPageCursor(writePageCursor('a"b', '1.2'), 'before')).toEqual({
      cursor: 'a"b',
      positions: '1.2',
    });
    expect(readPageCursor(writePageCursor('a', undefined), 'before')).toEqual({
      cursor: 'a',
      positions: undefined,
    });
    for (const value of ['', '%', '[]', '[1]', '["a",1]', '{"0":"a"}', 'null'])
      expect(() => readPageCursor(Buffer.from(value).toString('base64url'), 'before')).toThrow(
        /before must be a cursor/,
      );
  });
});

describe('a grant', () => {
  const identity = { kind: 'key', name: 'k', hash: 'h' } as const;

  it('in all groups holds in each; in one, in that alone, and the higher of both counts', () => {
    const grant = new Grant(identity, 'reader', { a: 'owner' });
    expect(['a', 'b'].map((group) => grant.roleIn(group))).toEqual(['owner', 'reader']);
    expect(grant.may('b', 'member')).toBe(false);
    expect(() => grant.require('b', 'owner')).toThrow(expect.objectContaining({ code: 'forbidden' }));
    expect(() => grant.requireOwner()).toThrow(expect.objectContaining({ code: 'forbidden' }));
    const narrow = new Grant(identity, undefined, { a: 'member' });
    expect(() => narrow.require('b', 'reader')).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect(() => narrow.require('a', 'member')).not.toThrow();
    // Names of what every object has are no groups.
    for (const name of ['constructor', '__proto__', 'toString']) expect(narrow.roleIn(name)).toBeUndefined();
  });
});

describe('attempts', () => {
  it('ten from an address, then one every half minute; right ones don’t count', () => {
    let nowMs = 0;
    const limits = new AttemptLimits(() => nowMs);
    for (let i = 0; i < 30; i++) limits.begin('1.2.3.4', 'ada@example.com')();
    for (let i = 0; i < 10; i++) limits.begin('1.2.3.4', `user${i}`);
    expect(() => limits.begin('1.2.3.4', 'other')).toThrow(expect.objectContaining({ code: 'rate_limited' }));
    limits.begin('5.6.7.8', 'other');
    nowMs += 30_000;
    limits.begin('1.2.3.4', 'other');
    expect(() => limits.begin('1.2.3.4', 'other')).toThrow();
  });

  it('thirty on an account, from wherever', () => {
    const limits = new AttemptLimits(() => 0);
    for (let i = 0; i < 30; i++) limits.begin(`10.0.0.${i}`, i % 2 ? 'Ada@example.com' : 'ada@example.com');
    expect(() => limits.begin('10.0.1.1', 'ada@example.com')).toThrow();
    expect(() => limits.begin('10.0.1.2', ' ADA@example.com ')).toThrow();
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:1:2:3', '2001:db8:1:3::1'],
    ['2001:db8::1', '2001:0DB8:0:0:8000::', '2001:db8:0:1::'],
    ['::1', '0:0:0:0:1::', '1::1'],
    ['fe80::1%eth0', 'fe80::2', 'fe81::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'],
  ])('%s and %s are one network, %s is another', (one, same, another) => {
    const limits = new AttemptLimits(() => 0);
    for (let i = 0; i < 10; i++) limits.begin(i % 2 ? one : same, undefined);
    expect(() => limits.begin(one, undefined)).toThrow();
    expect(() => limits.begin(same, undefined)).toThrow();
    limits.begin(another, undefined);
  });

  it('accounts that are named in vain push no other out of what is kept', () => {
    const limits = new AttemptLimits(() => 0);
    for (let i = 0; i < 30; i++) limits.begin(`10.0.0.${i}`, 'ada');
    for (let i = 0; i < 20_010; i++)
      try {
        limits.begin('10.0.1.1', `somebody ${i}`);
      } catch {
        // The address has had its attempts.
      }
    expect(() => limits.begin('10.0.1.2', 'ada')).toThrow();
  });
});

it('a password is known again, in any form of its accents, and another isn’t', async () => {
  const stored = await hashPassword('caf\u00e9 au lait');
  expect(await isPassword('cafe\u0301 au lait', stored)).toBe(true);
  expect(await isPassword('cafe au lait', stored)).toBe(false);
  expect(await isPassword('', undefined)).toBe(false);
  await expect(hashPassword('7 chars')).rejects.toThrow(/8 to 500/);
});

describe('parameters', () => {
  it('are of their kinds, and there once', () => {
    const parameters = new Parameters({ a: 'x', n: '5', list: ['1', '2'], flag: '', t: '@1769860800' }, [
      'a',
      'n',
      'list',
      'flag',
      't',
      'm',
    ]);
    expect([parameters.text('a'), parameters.text('m'), parameters.has('flag'), parameters.has('m')]).toEqual(
      ['x', undefined, true, false],
    );
    expect([parameters.count('n', 1, 1, 9), parameters.count('m', 1, 1, 9)]).toEqual([5, 1]);
    expect([parameters.list('list'), parameters.list('a'), parameters.list('m')]).toEqual([
      ['1', '2'],
      ['x'],
      [],
    ]);
    expect([parameters.flag('flag'), parameters.flag('m')]).toEqual([true, false]);
    expect(parameters.time('t', 0)).toBe(1_769_860_800_000);
    expect(() => parameters.text('list')).toThrow(/list must be given once/);
    expect(() => parameters.count('a', 1, 1, 9)).toThrow(/a must be a number from 1 to 9, not "x"/);
    expect(() => parameters.choice('a', ['b', 'c'])).toThrow(/a must be b or c/);
    expect(() => new Parameters({ __proto__x: '1' }, ['a'])).toThrow(/no parameter "__proto__x"/);
  });

  it('of a body: each field by its kind, and none that there isn’t', () => {
    const shape = { name: 'string', on: 'boolean?', groups: 'strings?' } as const;
    expect(readBody({ body: { name: 'x', on: null } }, shape)).toEqual({
      name: 'x',
      on: undefined,
      groups: undefined,
    });
    for (const [body, sentence] of [
      [{}, /name must be a text/],
      [{ name: 1 }, /name must be a text/],
      [{ name: 'x', on: 'yes' }, /on must be true or false/],
      [{ name: 'x', groups: ['a', 1] }, /groups must be a list of texts/],
      [{ name: 'x', nam: 'y' }, /no field "nam" here: there are name, on, groups/],
      [[], /JSON object/],
      ['x', /JSON object/],
      [null, /name must be a text/],
    ] as const)
      expect(() => readBody({ body }, shape)).toThrow(sentence);
  });
});
