import { describe, expect, it } from 'vitest';
import {
  platformErrorCode,
  readDrainLine,
  readRouterRequest,
  readValues,
} from '../../../../src/apps/addon-services/metrics/read-line.ts';
import { routePattern } from '../../../../src/apps/addon-services/metrics/route-pattern.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');

const lineOf = (source: string, dyno: string, message: string, time = '2026-11-28T11:59:58.123456+00:00') => {
  const line = readDrainLine(Buffer.from(`<158>1 ${time} host ${source} ${dyno} - ${message}\n`), NOW);
  if (!line) throw new Error('no line');
  return line;
};

describe('a line of a drain', () => {
  it('has time, source, dyno and message', () => {
    expect(lineOf('app', 'web.1', 'hello [x y="z"]')).toEqual({
      timeMs: Date.parse('2026-11-28T11:59:58.123Z'),
      source: 'app',
      dyno: 'web.1',
      message: 'hello [x y="z"]',
    });
  });
  it('without a time that can be read is of now; without a header it is none', () => {
    expect(lineOf('app', 'web.1', 'x', '-').timeMs).toBe(NOW);
    expect(readDrainLine(Buffer.from('free text'), NOW)).toBeUndefined();
  });
});

describe('a line of the HTTP router', () => {
  const okay =
    'at=info method=GET path="/users/42?status=999 service=9ms" host=shop.localhost request_id=1 fwd="1.2.3.4" dyno=web.1 connect=2ms service=40ms status=200 bytes=512 protocol=http';
  it('says method, path, status and time', () => {
    expect(readRouterRequest(lineOf('heroku', 'router', okay))).toEqual({
      method: 'GET',
      path: '/users/42?status=999 service=9ms',
      status: 200,
      code: undefined,
      durationMs: 42,
      bytes: 512,
    });
  });
  it('with an error has its code, and no time when no dyno had the request', () => {
    const failed =
      'at=error code=H10 desc="App crashed" method=POST path="/" host=a request_id=1 fwd="" dyno= connect= service= status=503 bytes= protocol=http';
    expect(readRouterRequest(lineOf('heroku', 'router', failed))).toMatchObject({
      method: 'POST',
      status: 503,
      code: 'H10',
      durationMs: undefined,
      bytes: 0,
    });
  });
  it('that an app wrote is none', () => {
    expect(readRouterRequest(lineOf('app', 'router', okay))).toBeUndefined();
    expect(readRouterRequest(lineOf('heroku', 'web.1', okay))).toBeUndefined();
  });
});

describe('the platform', () => {
  it('names its errors', () => {
    expect(platformErrorCode(lineOf('heroku', 'web.1', 'Error R14 (Memory quota exceeded)'))).toBe('R14');
    expect(platformErrorCode(lineOf('app', 'web.1', 'Error R14 (Memory quota exceeded)'))).toBeUndefined();
    expect(platformErrorCode(lineOf('heroku', 'web.1', 'State changed from up to down'))).toBeUndefined();
  });
});

describe('values in lines', () => {
  it('are read with kind, unit and source', () => {
    const line = lineOf(
      'heroku',
      'web.1',
      'source=web.2 dyno=heroku.1 sample#memory_total=12.5MB measure#db.get=7ms, count#x=2 notcount#y=3 count#z=abc',
    );
    expect(readValues(line)).toEqual([
      { kind: 'sample', name: 'memory_total', value: 12.5, unit: 'MB', source: 'web.2' },
      { kind: 'measure', name: 'db.get', value: 7, unit: 'ms', source: 'web.2' },
      { kind: 'count', name: 'x', value: 2, unit: '', source: 'web.2' },
    ]);
  });
});

describe('the route of a path', () => {
  it.each([
    ['/', '/'],
    ['/users/42', '/users/:id'],
    ['/users/42/posts?page=2#x', '/users/:id/posts'],
    ['/o/2f1c7a8e-1111-4222-8333-944455556666', '/o/:id'],
    ['/c/9f86d081884c7d659a2feaa0c55ad015', '/c/:id'],
    ['/t/eyJhbGciOiJIUzI1NiJ9abc', '/t/:id'],
    ['/assets/app-4f3d2a1b9c.js', '/assets/app.:hash.js'],
    ['/about-us', '/about-us'],
    ['/v2/search', '/v2/search'],
  ])('%s is %s', (path, route) => expect(routePattern(path)).toBe(route));
});
