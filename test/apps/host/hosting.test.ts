import { expect, it } from 'vitest';
import { HostedApp } from '../../../src/apps/host/hosted-app.ts';
import { type Face, Hosting } from '../../../src/apps/host/hosting.ts';
import { ownPages } from '../../../src/apps/host/own-pages.ts';
import { DynoLedger } from '../../../src/apps/processes/dyno-ledger.ts';
import { Ports } from '../../../src/apps/processes/ports.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { dataForTest } from '../../support/server.ts';

function hosting(...faces: (Partial<Face> & { name: string })[]): Hosting {
  const all = new Hosting(() => {});
  const ledger = new DynoLedger(dataForTest());
  for (const face of faces) {
    const options = { lines: { line() {} }, ports: new Ports(), ledger, color: false, overlap: true };
    const app = new HostedApp({ ...options, onChange() {} });
    all.add({ id: face.name as AppId, app }, { maintenance: false, domains: [], pages: {}, ...face });
  }
  return all;
}

it('an app is found by its name, its domains, and its wildcards, the nearest first', () => {
  const all = hosting(
    { name: 'shop', domains: ['www.example.com', '*.example.com'] },
    { name: 'api', domains: ['*.api.example.com', 'api.example.com'] },
  );
  const app = (host: string) => all.appForHost(host)?.name;
  expect(app('shop.localhost')).toBe('shop');
  expect(app('www.example.com')).toBe('shop');
  expect(app('anything.example.com')).toBe('shop');
  expect(app('a.b.example.com')).toBe('shop');
  expect(app('api.example.com')).toBe('api');
  expect(app('v1.api.example.com')).toBe('api');
  expect(app('x.v1.api.example.com')).toBe('api');
  for (const host of ['example.com', 'notexample.com', 'nobody.localhost', ''])
    expect(app(host)).toBeUndefined();
  all.show('api' as AppId, { name: 'api', maintenance: false, domains: [], pages: {} });
  expect(app('v1.api.example.com')).toBe('shop');
  all.remove('shop' as AppId);
  expect(app('nobody.localhost')).toBe('api');
});

it('only addresses of the web are error pages', () => {
  expect(
    ownPages({ ERROR_PAGE_URL: 'https://a.example/e.html', MAINTENANCE_PAGE_URL: '//a.example/m' }),
  ).toEqual({
    error: 'https://a.example/e.html',
    maintenance: '//a.example/m',
  });
  expect(ownPages({ ERROR_PAGE_URL: 'javascript:alert(1)', MAINTENANCE_PAGE_URL: '' })).toEqual({});
});
