import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { Addresses } from '../../../src/common/http/addresses.ts';

const LOCAL = 'http://127.0.0.1:8601';
const addresses = (publicUrl = '', appsUrl = ''): Addresses =>
  new Addresses({ publicUrl, appsUrl, local: () => LOCAL, routerPort: () => 8080 });
const request = (host: string, headers: Record<string, string> = {}, protocol = 'http') =>
  ({ host, headers, protocol }) as unknown as FastifyRequest;

describe('addresses', () => {
  it.each([
    ['', request('logs.example.com:8601'), 'http://logs.example.com:8601'],
    ['', request('logs.example.com', { 'x-forwarded-proto': 'https' }), 'https://logs.example.com'],
    ['', request('logs.example.com', {}, 'https'), 'https://logs.example.com'],
    ['', request(''), LOCAL],
    ['', request('a b/c'), LOCAL],
    ['https://logs.example.com', request('10.0.0.7:8601'), 'https://logs.example.com'],
  ])('of the API: %j', (publicUrl, from, expected) => {
    expect(addresses(publicUrl).forClient(from)).toBe(expected);
    expect(addresses(publicUrl).git('shop', from)).toBe(`${expected}/shop.git`);
  });

  it('of the API, where nobody asked for it', () => {
    expect(addresses().outside).toBe(LOCAL);
    expect(addresses('https://logs.example.com').outside).toBe('https://logs.example.com');
    expect(addresses('https://logs.example.com').local).toBe(LOCAL);
  });

  it.each([
    ['', 'shop.localhost', 'http://shop.localhost:8080/'],
    ['https://apps.example.com', 'shop.apps.example.com', 'https://shop.apps.example.com/'],
    ['http://apps.example.com:8080', 'shop.apps.example.com', 'http://shop.apps.example.com:8080/'],
  ])('of an app below %j', (appsUrl, host, url) => {
    expect([addresses('', appsUrl).appHost('shop'), addresses('', appsUrl).app('shop')]).toEqual([host, url]);
  });

  it.each([
    ['', request('x'), false],
    ['', request('x', {}, 'https'), true],
    ['', request('x', { 'x-forwarded-proto': 'https, http' }), true],
    ['https://x', request('x'), true],
    ['http://x', request('x'), false],
  ])('cookies of %j for TLS alone', (publicUrl, from, expected) =>
    expect(addresses(publicUrl).isSecure(from)).toBe(expected),
  );

  it('of the host, for another port, where a client comes without a proxy', () => {
    const direct = { ...request('127.0.0.1:8601'), hostname: '127.0.0.1' } as FastifyRequest;
    expect(addresses('https://logs.example.com').hostFor(direct)).toBe('127.0.0.1');
    const forwarded = { ...direct, headers: { 'x-forwarded-for': '192.0.2.1' } } as unknown as FastifyRequest;
    expect(addresses('https://logs.example.com').hostFor(forwarded)).toBe('logs.example.com');
  });

  it('are put together nowhere else in the API', () => {
    const folder = join(import.meta.dirname, '..', '..', '..', 'src', 'api');
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => {
        const text = readFileSync(join(folder, path), 'utf8');
        return (
          text.match(
            /[\w}]+:\/\/\$\{\w+|request\.(?:host|protocol)\b|\{[^}]*\bprotocol\b[^}]*\}: FastifyRequest/g,
          ) ?? []
        ).map((what) => `${path}: ${what}`);
      });
    expect(found).toEqual(['apps/one-off-dynos.ts: rendezvous://${host']);
  });
});
