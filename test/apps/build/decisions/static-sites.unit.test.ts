/** static.json, and what a request to a static site means. */
import { describe, expect, it } from 'vitest';
import { contentTypeOf } from '../../../../src/apps/build/static/content-types.ts';
import { matchesPattern, parseStaticConfig } from '../../../../src/apps/build/static/static-config.ts';
import {
  candidateFiles,
  cleanPath,
  parseFileRange,
  readStaticRequest,
  redirectFor,
  routeFor,
} from '../../../../src/apps/build/static/static-request.ts';

describe('static.json', () => {
  it('without one the folder is the site, with one it is public_html', () => {
    expect(parseStaticConfig(undefined, {}).root).toBe('.');
    expect(parseStaticConfig({}, {}).root).toBe('public_html');
    expect(parseStaticConfig({ root: './dist/' }, {}).root).toBe('dist');
  });

  it('config vars fill in redirects', () => {
    const { redirects } = parseStaticConfig(
      { redirects: { '/a': { url: `$\{HOST}/b`, status: 302 }, '/c': '/d' } },
      { HOST: 'https://x' },
    );
    expect(redirects).toEqual([
      ['/a', { url: 'https://x/b', status: 302 }],
      ['/c', { url: '/d', status: 301 }],
    ]);
  });

  it.each([
    [{ root: '../up' }, /root in static\.json must be a path within/],
    [{ root: 7 }, /root in static\.json must be a text/],
    [{ clean_urls: 'yes' }, /clean_urls in static\.json must be true or false/],
    [{ routes: ['x'] }, /routes in static\.json must be an object/],
    [{ routes: { '/**': '../index.html' } }, /routes in static\.json must be a path/],
    [{ error_page: '/../../etc/passwd' }, /error_page/],
    [{ redirects: { '/a': {} } }, /redirects/],
    [{ redirects: { '/a': { url: '/b', status: 200 } } }, /a status is one of 301/],
    [{ redirects: { '/a': { url: '/b\r\nSet-Cookie: x' } } }, /redirects/],
    [{ headers: { '/**': { 'X-A': 'a\r\nb' } } }, /headers/],
    [{ headers: { '/**': { 'X A': 'a' } } }, /headers/],
    [{ proxies: { '/api/': { origin: 'http://x' } } }, /proxies in static\.json aren't served here/],
  ])('%j is refused', (json, message) => {
    expect(() => parseStaticConfig(json, {})).toThrow(message);
  });
});

describe('patterns', () => {
  it.each([
    ['/**', '/', true],
    ['/**', '/a/b', true],
    ['/*', '/a', true],
    ['/*', '/a/b', false],
    ['/*.js', '/app.js', true],
    ['/*.js', '/app.json', false],
    ['/app/**/x', '/app/a/b/x', true],
    ['/app/**', '/app', false],
    ['/a.b', '/aXb', false],
    ['/a', '/a', true],
    ['/a', '/ab', false],
  ])('%s and %s: %s', (pattern, path, matches) => {
    expect(matchesPattern(pattern, path)).toBe(matches);
  });

  it('take time as the product of their lengths', () => {
    const pattern = `/${'*a'.repeat(100)}${'**b'.repeat(100)}`;
    expect(matchesPattern(pattern, `/${'a'.repeat(8_000)}c`)).toBe(false);
  });
});

describe('a request', () => {
  const read = (target: string, config = {}, more = {}) =>
    readStaticRequest(
      { method: 'GET', target, host: 'shop.example.com', protocol: 'http', ...more },
      { httpsOnly: false, canonicalHost: undefined, ...config },
    );

  it.each([
    ['/a%20b?c=d', { kind: 'path', path: '/a b' }],
    ['/', { kind: 'path', path: '/' }],
    ['/.well-known/acme', { kind: 'path', path: '/.well-known/acme' }],
    ['/../etc/passwd', { kind: 'refuse', status: 404 }],
    ['/%2e%2e/etc/passwd', { kind: 'refuse', status: 404 }],
    ['/a/..%2f..%2fetc', { kind: 'refuse', status: 404 }],
    ['/a\\..\\b', { kind: 'refuse', status: 400 }],
    ['/a%5c..%5cb', { kind: 'refuse', status: 400 }],
    ['/a%00.html', { kind: 'refuse', status: 400 }],
    ['/%zz', { kind: 'refuse', status: 400 }],
    ['//evil.example.com', { kind: 'refuse', status: 404 }],
    ['/.git/config', { kind: 'refuse', status: 404 }],
    ['/.env', { kind: 'refuse', status: 404 }],
    ['/Procfile', { kind: 'refuse', status: 404 }],
    ['*', { kind: 'refuse', status: 400 }],
  ])('%s', (target, result) => {
    expect(read(target)).toEqual(result);
  });

  it('of another method is refused', () => {
    expect(read('/', {}, { method: 'POST' })).toEqual({ kind: 'refuse', status: 405 });
  });

  it('is led to https and to the host that the site has', () => {
    expect(read('/a?b', { httpsOnly: true })).toMatchObject({
      location: 'https://shop.example.com/a?b',
      status: 301,
    });
    expect(read('/a', { httpsOnly: true }, { protocol: 'https' }).kind).toBe('path');
    expect(read('/a', { httpsOnly: true }, { host: 'evil/../x' }).kind).toBe('path');
    expect(read('/a', { canonicalHost: 'www.example.com' })).toMatchObject({
      location: 'http://www.example.com/a',
    });
  });

  it('finds files', () => {
    expect(candidateFiles('/', false)).toEqual(['index.html']);
    expect(candidateFiles('/docs', true)).toEqual(['docs', 'docs.html', 'docs/']);
    expect(cleanPath('/about.html')).toBe('/about');
    expect(cleanPath('/docs/index.html')).toBe('/docs/');
    expect(cleanPath('/about')).toBeUndefined();
  });

  it('finds redirects and routes', () => {
    const redirects = [['/old/', { url: '/new/', status: 301 }]] as const;
    expect(redirectFor('/old', { redirects })?.url).toBe('/new/');
    expect(redirectFor('/older', { redirects })).toBeUndefined();
    const routes = [
      ['/assets/*', '404.html'],
      ['/**', 'index.html'],
    ] as const;
    expect(routeFor('/assets/x', { routes })).toBe('404.html');
    expect(routeFor('/any/where', { routes })).toBe('index.html');
  });

  it.each([
    ['bytes=0-3', 10, { start: 0, end: 3 }],
    ['bytes=4-', 10, { start: 4, end: 9 }],
    ['bytes=-2', 10, { start: 8, end: 9 }],
    ['bytes=-20', 10, { start: 0, end: 9 }],
    ['bytes=8-99', 10, { start: 8, end: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=3-1', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['lines=1-2', 10, undefined],
    [undefined, 10, undefined],
  ])('for %s of %i bytes', (header, size, range) => {
    expect(parseFileRange(header, size)).toEqual(range);
  });

  it('is answered with the type of the file', () => {
    expect(contentTypeOf('a.HTML', 'utf-8')).toBe('text/html; charset=utf-8');
    expect(contentTypeOf('a.svg', 'utf-8')).toBe('image/svg+xml; charset=utf-8');
    expect(contentTypeOf('a.png', 'utf-8')).toBe('image/png');
    expect(contentTypeOf('constructor', 'utf-8')).toBe('application/octet-stream');
  });
});
