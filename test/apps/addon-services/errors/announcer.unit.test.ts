import { describe, expect, it } from 'vitest';
import { announcementOf, ErrorAnnouncer } from '../../../../src/apps/addon-services/errors/announcer.ts';
import { readEvent } from '../../../../src/apps/addon-services/errors/event/error-event.ts';
import { titleOf } from '../../../../src/apps/addon-services/errors/event/event-title.ts';
import { withEvent } from '../../../../src/apps/addon-services/errors/store/error-group.ts';
import type { AddedEvent } from '../../../../src/apps/addon-services/errors/store/error-state.ts';

function added(fields: object, kind: AddedEvent['kind'] = 'new'): AddedEvent {
  const event = readEvent({ ...fields });
  return { kind, group: withEvent(undefined, 'id', event, titleOf(event), 0, 1) };
}

const thrown = (type: string, value: string, filename = '/app/views.py', lineno = 42): object => ({
  exception: { values: [{ type, value, stacktrace: { frames: [{ filename, lineno, in_app: true }] } }] },
});

describe('the stream is told', () => {
  it('what happened, where, and in which release', () => {
    expect(
      announcementOf(
        added({ ...thrown('ValueError', 'bad\nmore'), release: '1.2', environment: 'production' }),
      ),
    ).toBe('New error: ValueError: bad in views.py:42 (release 1.2, production)');
    expect(announcementOf(added(thrown('E', ''), 'regression'))).toBe(
      'Resolved error is back: E in views.py:42',
    );
    expect(announcementOf(added({ level: 'fatal', message: 'out of memory' }))).toBe(
      'New fatal error: out of memory',
    );
    expect(announcementOf(added({ level: 'warning' }))).toBe('New warning: (no message)');
  });

  it('in bounded length, and with nothing hidden', () => {
    const long = announcementOf(
      added(thrown('E'.repeat(1_000), 'x'.repeat(9_000), `/${'d'.repeat(5_000)}.py`)),
    );
    expect(long.length).toBeLessThanOrEqual(300);
    expect(long).toMatch(/d\.py:42$/);
    const odd = announcementOf(
      added({ ...thrown('\x1b[31mE', 'a\u202eb\x00\x07\u200b', 'f\x1b]0;t\x07'), release: 'r\n<3>x\u2028' }),
    );
    expect(odd).not.toMatch(/[\x00-\x1f\u202e\u200b\u2028]/);
    expect(odd).toBe(
      String.raw`New error: \x1b[31mE: a\u202eb\x00\x07\u200b in f\x1b]0;t\x07:42 (release r\n<3>x\u2028)`,
    );
  });

  it('of no event of an error that is known, and of no more than 60 new ones a minute', () => {
    const lines: string[] = [];
    const announcer = new ErrorAnnouncer((severity, text) => lines.push(`${severity} ${text}`));
    announcer.announce(added({ message: 'm' }, 'known'));
    announcer.announce(added({ message: 'm' }, 'again'));
    expect(lines).toEqual([]);
    for (let i = 0; i < 1_000; i++) announcer.announce(added({ message: `m${i}`, level: 'warning' }));
    expect(lines).toHaveLength(60);
    announcer.close();
    expect(lines.at(0)).toBe('warning New warning: m0');
    expect(lines.at(-1)).toBe('error 940 more new errors: see the page of this add-on (addons:open)');
  });
});
