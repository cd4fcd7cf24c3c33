import { describe, expect, it } from 'vitest';
import { proxyFor, proxyHeaders } from '../../../../src/common/http/client/forward-proxy.ts';

const PROXY = { HTTP_PROXY: 'http://proxy:3128', https_proxy: 'tls-proxy:3129' };

const hostFor = (url: string, env: Record<string, string>): string | undefined =>
  proxyFor(new URL(url), env)?.host;

describe('the proxy for a server', () => {
  it('is that of its scheme, also for a WebSocket, in small letters or capitals, with or without http://', () => {
    expect(hostFor('http://logs.example.com:8601', PROXY)).toBe('proxy:3128');
    expect(hostFor('ws://logs.example.com:8601', PROXY)).toBe('proxy:3128');
    expect(hostFor('https://logs.example.com', PROXY)).toBe('tls-proxy:3129');
    expect(hostFor('wss://logs.example.com', PROXY)).toBe('tls-proxy:3129');
    expect(hostFor('http://logs.example.com', {})).toBeUndefined();
    expect(hostFor('http://logs.example.com', { HTTP_PROXY: '' })).toBeUndefined();
  });

  it.each(['localhost', 'app.localhost', '127.0.0.1', '127.1.2.3', '[::1]'])('is none for %s', (host) => {
    expect(hostFor(`http://${host}:8601`, PROXY)).toBeUndefined();
  });

  it.each([
    ['*', 'http://any.example.com', true],
    ['example.com', 'http://example.com', true],
    ['example.com', 'http://LOGS.example.com', true],
    ['.example.com', 'https://logs.example.com', true],
    ['*.example.com', 'https://logs.example.com', true],
    ['example.com', 'http://notexample.com', false],
    ['a.b, example.com c.d', 'http://c.d', true],
    ['example.com:8601', 'http://example.com:8601', true],
    ['example.com:8601', 'http://example.com:8602', false],
    ['example.com:443', 'https://example.com', true],
    ['10.1.2.3', 'http://10.1.2.3', true],
    ['10.0.0.0/8', 'http://10.1.2.3:8601', true],
    ['10.0.0.0/8', 'http://11.1.2.3', false],
    ['10.0.0.0/99', 'http://10.1.2.3', false],
    ['fd00::/8', 'http://[fd00::7]:8601', true],
    ['fd00::7', 'http://[fd00::7]', true],
    ['[fd00::7]:8601', 'http://[fd00::7]:8601', true],
    ['', 'http://example.com', false],
    [',,', 'http://example.com', false],
  ])('is none where NO_PROXY says so: %j, %s', (exceptions, url, isExcepted) => {
    for (const name of ['no_proxy', 'NO_PROXY'])
      expect(hostFor(url, { ...PROXY, [name]: exceptions }) === undefined).toBe(isExcepted);
  });

  it.each(['socks5://proxy:1080', 'https://proxy', 'http://'])('has to speak HTTP: %s', (address) => {
    expect(() => hostFor('https://logs.example.com', { HTTPS_PROXY: address })).toThrow(
      'HTTPS_PROXY has to be the address of an HTTP proxy, such as http://proxy.example.com:3128.',
    );
  });

  it('is shown the name and password in its address', () => {
    const proxy = new URL('http://ann:p%40ss@proxy:3128');
    expect(proxyHeaders(proxy)).toEqual({ 'proxy-authorization': `Basic ${btoa('ann:p@ss')}` });
    expect(proxyHeaders(new URL('http://proxy'))).toEqual({});
  });
});
