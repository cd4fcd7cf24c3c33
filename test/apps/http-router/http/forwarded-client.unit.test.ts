import { expect, it } from 'vitest';
import { forwardedClient } from '../../../../src/apps/http-router/http/forwarded-client.ts';
import { parseRequestHead } from '../../../../src/apps/http-router/http/request-head.ts';

const PEER = '127.0.0.1';
const of = (headers: string, isTrustedProxy: boolean, isSecure = false, host = 'shop.example.com') => {
  const head = parseRequestHead(`GET / HTTP/1.1\r\nHost: ${host}\r\n${headers}`, true);
  const { chain, protocol, port } = forwardedClient(head, {
    address: PEER,
    isTrustedProxy,
    isSecure,
    port: 8080,
  });
  return `${chain} ${protocol} ${port}`;
};
const SAID = 'X-Forwarded-For: 1.1.1.1, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n';

it.each([
  ['', false, '127.0.0.1 http 8080'],
  [SAID, false, '1.1.1.1, 203.0.113.9, 127.0.0.1 http 8080'],
  // As on Heroku: the last address is the client's, as the proxy saw it.
  [SAID, true, '1.1.1.1, 203.0.113.9 https 443'],
  [`${SAID}X-Forwarded-Port: 8443\r\n`, true, '1.1.1.1, 203.0.113.9 https 8443'],
  ['X-Forwarded-Proto: http\r\n', true, '127.0.0.1 http 80'],
  ['X-Forwarded-Proto: http, HTTPS\r\n', true, '127.0.0.1 https 443'],
  ['X-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 70\r\n', true, '127.0.0.1 http 8080'],
  ['X-Forwarded-Port: 443\r\n', true, '127.0.0.1 http 8080'],
  ['X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1 2\r\n', true, '127.0.0.1 https 443'],
])('%j, of a proxy that is believed: %s', (headers, isTrusted, expected) =>
  expect(of(headers, isTrusted)).toBe(expected),
);

it('the port that the client named counts where the proxy says none', () => {
  expect(of('X-Forwarded-Proto: https\r\n', true, false, 'shop.example.com:8443')).toBe(
    '127.0.0.1 https 8443',
  );
});

it('a connection with TLS of our own', () => {
  expect(of('X-Forwarded-Proto: http\r\n', false, true)).toBe('127.0.0.1 https 8080');
});
