import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../../src/apps/addon-services/errors/event/error-event.ts';
import {
  fingerprintOf,
  groupIdOf,
  maskVariable,
} from '../../../../src/apps/addon-services/errors/event/fingerprint.ts';

const id = (event: object): string => groupIdOf(readEvent({ ...event }));

interface Frame {
  readonly function?: string;
  readonly module?: string;
  readonly filename?: string;
  readonly lineno?: number;
  readonly in_app?: boolean;
  readonly context_line?: string;
}

const thrown = (frames: readonly Frame[], type = 'ValueError', value = 'bad'): object => ({
  exception: { values: [{ type, value, stacktrace: { frames } }] },
});
const view: Frame = { function: 'view', module: 'shop.views', lineno: 42, in_app: true };
const library: Frame = { function: 'call', module: 'django.core', lineno: 1, in_app: false };

describe('events are the same error', () => {
  it('with the same exception from the same functions of the app, whatever the lines, texts and libraries', () => {
    const first = id(thrown([library, view]));
    expect(
      id(
        thrown([
          { ...library, function: 'other' },
          { ...view, lineno: 99 },
        ]),
      ),
    ).toBe(first);
    expect(id(thrown([view], 'ValueError', 'something else'))).toBe(first);
    expect(id(thrown([view], 'TypeError'))).not.toBe(first);
    expect(id(thrown([{ ...view, function: 'other_view' }]))).not.toBe(first);
    expect(id(thrown([{ ...view, module: 'shop.admin' }]))).not.toBe(first);
  });

  it('with the same library calls where none of the app is known', () => {
    expect(id(thrown([library]))).not.toBe(id(thrown([{ ...library, function: 'other' }])));
  });

  it('however deep a recursion went', () => {
    expect(id(thrown([view, view, view]))).toBe(id(thrown([view])));
  });

  it('with a cause, or without another one', () => {
    const cause = { type: 'KeyError', value: 'k' };
    const chain = (...values: object[]): string => id({ exception: { values } });
    const error = { type: 'ValueError', value: 'v' };
    expect(chain(cause, error)).not.toBe(chain(error));
    expect(chain(cause, error)).toBe(chain({ ...cause }, { ...error }));
  });

  it('when a build has named its files anew, or they come from another host', () => {
    const file = (filename: string): string => id(thrown([{ function: 'run', filename, in_app: true }]));
    expect(file('https://a.example/app.3f2a1b9c.js?v=1')).toBe(file('https://b.example/app.99aa1b77.js?v=2'));
    expect(file('https://a.example/app.js')).not.toBe(file('https://a.example/admin.js'));
  });

  it('with functions without a name: those whose source is the same', () => {
    const anonymous = (context_line: string, lineno: number): string =>
      id(thrown([{ function: '<anonymous>', filename: 'a.js', context_line, lineno, in_app: true }]));
    expect(anonymous('  throw e;', 3)).toBe(anonymous('throw e;', 8));
    expect(anonymous('throw e;', 3)).not.toBe(anonymous('fail();', 3));
  });

  it('with the same template of a message, or a text that differs in its numbers alone', () => {
    const logged = (params: string[]): object => ({
      logentry: { message: 'Disk %s is full', params, formatted: `Disk ${params[0]} is full` },
    });
    expect(id(logged(['sda']))).toBe(id(logged(['sdb'])));
    expect(id({ message: 'took 312 ms for a1b2c3d4-0000-1111-2222-333344445555' })).toBe(
      id({ message: 'took 9 ms for ffffffff-0000-1111-2222-333344445555' }),
    );
    expect(id({ message: 'took long' })).not.toBe(id({ message: 'took short' }));
  });

  it('when the client says so, also together with what the server finds', () => {
    expect(id({ ...thrown([view]), fingerprint: ['mine'] })).toBe(
      id({ message: 'x', fingerprint: ['mine'] }),
    );
    const withDefault = (event: object, part: string): string => id({ ...event, fingerprint: [part, 'x'] });
    expect(withDefault(thrown([view]), '{{ default }}')).not.toBe(id(thrown([view])));
    expect(withDefault(thrown([view]), '{{default}}')).toBe(withDefault(thrown([view]), '{{ default }}'));
    expect(withDefault(thrown([view]), '{{ default }}')).not.toBe(
      withDefault(thrown([library]), '{{ default }}'),
    );
    expect(fingerprintOf(readEvent({ message: 'm 1', fingerprint: ['{{ default }}'] }))).toEqual([
      'message',
      'm <n>',
    ]);
    // Nothing, numbers, objects: as far as they are texts.
    expect(id({ ...thrown([view]), fingerprint: [] })).toBe(id(thrown([view])));
    expect(id({ ...thrown([view]), fingerprint: 'text' })).toBe(id(thrown([view])));
    expect(fingerprintOf(readEvent({ fingerprint: [1, { a: 1 }, null] }))).toEqual(['1', '{"a":1}', 'null']);
  });

  it('with nothing in them: those of one logger', () => {
    expect(id({ logger: 'a' })).toBe(id({ logger: 'a' }));
    expect(id({ logger: 'a' })).not.toBe(id({ logger: 'b' }));
  });
});

it('what differs each time is masked', () => {
  expect(maskVariable('user 12 (ann@example.com) at 10.0.0.1: 0xdeadBEEF, key 5f2504e04f8911d3')).toBe(
    'user <n> (<email>) at <n>.<n>.<n>.<n>: <hex>, key <hex>',
  );
  expect(maskVariable('deadbeef facade decade')).toBe('deadbeef facade decade');
});
