import { describe, expect, it } from 'vitest';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import { SourceMatcher } from '../../../src/logs/sources/source-matcher.ts';
import { sourceForAppName } from '../../../src/logs/sources/wildcard-token.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';

const APP = '00000000-0000-4000-8000-000000000001' as AppId;

function logSource(token: string, source: string): LogSource {
  return { token, tokenBytes: Buffer.from(token), app: APP, source, sourceBytes: Buffer.from(source) };
}

/** Matches a line with this APP-NAME, or all of a line. */
function match(matcher: SourceMatcher, appName: string, version: number, rest = ' web.1 - - hello') {
  const bytes = Buffer.from(`<13>1 2012-12-10T03:00:48Z h ${appName}${rest}`);
  const header = new SyslogHeader();
  expect(scanHeader(bytes, 0, bytes.length, header)).toBe(true);
  return matcher.match(bytes, header, bytes.length, version);
}

describe('a sender that writes its token into each line', () => {
  it('has the first one looked up', () => {
    const matcher = new SourceMatcher(undefined);
    expect(match(matcher, 't.a', 1)).toBeUndefined();
  });

  it('is recognized by the same token, also in a line that ends behind it, and by no other', () => {
    const matcher = new SourceMatcher(undefined);
    const source = logSource('t.a', 'app');
    matcher.remember(source, 1);
    expect(match(matcher, 't.a', 1)).toBe(source);
    expect(match(matcher, 't.a', 1, '')).toBe(source);
    for (const other of ['t.b', 't.aa', 't.', 'app']) expect(match(matcher, other, 1), other).toBeUndefined();
  });

  it('has its token looked up again after tokens have changed', () => {
    const matcher = new SourceMatcher(undefined);
    matcher.remember(logSource('t.a', 'app'), 1);
    expect(match(matcher, 't.a', 2)).toBeUndefined();
  });

  it('is looked up line by line when a rule has identified it: there is no token to compare', () => {
    const matcher = new SourceMatcher(undefined);
    matcher.remember(logSource('', 'app'), 1);
    expect(match(matcher, 'cron', 1)).toBeUndefined();
  });

  it('is looked up line by line when a wildcard token has: the name says nothing', () => {
    const matcher = new SourceMatcher(undefined);
    const named = sourceForAppName(logSource('t.a', '*'), 'cron');
    for (const source of [named, logSource('t.b', 'app'), named]) {
      matcher.remember(source, 1);
      expect(match(matcher, 'cron', 1)).toBeUndefined();
      expect(match(matcher, 't.b', 1)).toBe(source === named ? undefined : source);
    }
  });
});

describe('a sender that authenticated', () => {
  it('with the token of one source, needs no look-up, whatever its lines say and tokens do', () => {
    const source = logSource('t.a', 'app');
    const matcher = new SourceMatcher(source);
    expect(match(matcher, 't.b', 1)).toBe(source);
    expect(match(matcher, 'cron', 2)).toBe(source);
    expect(matcher.common).toBe(source);
  });

  it('with a wildcard token, has the source that each line names', () => {
    const matcher = new SourceMatcher(logSource('t.a', '*'));
    expect(match(matcher, 'heroku', 1)?.source).toBe('heroku');
    expect(matcher.common).toBeUndefined();
    expect(match(matcher, 'postgres', 2)?.source).toBe('postgres');
    expect(matcher.current?.source).toBe('postgres');
  });
});
