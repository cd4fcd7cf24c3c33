import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { AppDeployment } from '../../../src/apps/host/app-deployment.ts';
import { errorPageUrls } from '../../../src/apps/host/custom-error-pages.ts';
import { type RoutingInfo, RunningApps } from '../../../src/apps/host/running-apps.ts';
import { DynoPidFile } from '../../../src/apps/processes/pid-file.ts';
import { PortAllocator } from '../../../src/apps/processes/ports.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';

const ROUTING = { maintenance: false, domains: [], errorPages: {}, isBlank: false };

function runningApps(...routes: (Partial<RoutingInfo> & { name: string })[]): RunningApps {
  const all = new RunningApps(() => {}, ['localhost', 'apps.example.org']);
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const pidFile = new DynoPidFile(folder);
  for (const route of routes) {
    const options = {
      lines: { writeLine() {} },
      ports: new PortAllocator(),
      pidFile,
      color: false,
    };
    const app = new AppDeployment({ ...options, onChange() {} });
    all.add({ id: route.name as AppId, deployment: app }, { ...ROUTING, ...route });
  }
  return all;
}

it('an app is found by its name, its domains, and its wildcards, the nearest first', () => {
  const all = runningApps(
    { name: 'shop', domains: ['www.example.com', '*.example.com'] },
    { name: 'api', domains: ['*.api.example.com', 'api.example.com'] },
  );
  const app = (host: string) => all.appForHost(host)?.name;
  expect(app('shop.localhost')).toBe('shop');
  expect(app('shop.apps.example.org')).toBe('shop');
  expect(app('nobody.apps.example.org')).toBeUndefined();
  expect(app('www.example.com')).toBe('shop');
  expect(app('anything.example.com')).toBe('shop');
  expect(app('a.b.example.com')).toBe('shop');
  expect(app('api.example.com')).toBe('api');
  expect(app('v1.api.example.com')).toBe('api');
  expect(app('x.v1.api.example.com')).toBe('api');
  for (const host of ['example.com', 'notexample.com', 'nobody.localhost', ''])
    expect(app(host)).toBeUndefined();
  all.updateRoute('api' as AppId, { ...ROUTING, name: 'api' });
  expect(app('v1.api.example.com')).toBe('shop');
  all.remove('shop' as AppId);
  expect(app('nobody.localhost')).toBe('api');
});

it('the names of an app to which nothing was deployed are no other app’s', () => {
  const all = runningApps({ name: 'shop' });
  const blank = { ...ROUTING, name: 'later', domains: ['later.example.com'], isBlank: true };
  const app = (host: string) => all.appForHost(host);
  all.updateRoute('later' as AppId, blank);
  for (const host of ['later.localhost', 'later.example.com'])
    expect(app(host)).toMatchObject({ name: 'later', isBlank: true });
  expect(app('nobody.localhost')?.name).toBe('shop');
  all.updateRoute('later' as AppId, { ...blank, name: 'soon', domains: [], maintenance: true });
  expect(app('soon.localhost')).toMatchObject({ name: 'soon', maintenance: true });
  expect(app('later.localhost')?.name).toBe('shop');
  // One that was deployed elsewhere isn't blank, and one that is gone has no name.
  all.updateRoute('later' as AppId, { ...blank, isBlank: false });
  expect(app('later.localhost')?.name).toBe('shop');
  all.updateRoute('later' as AppId, blank);
  all.remove('later' as AppId);
  expect(app('later.localhost')?.name).toBe('shop');
});

it('whoever waits for a dyno of an app that is removed learns of it', () => {
  const all = runningApps({ name: 'shop' });
  const shop = all.appForHost('shop.localhost')!;
  let changes = 0;
  const unsubscribe = shop.onChange(() => changes++);
  all.remove('shop' as AppId);
  expect([changes, shop.desiredWebDynos(), shop.webDynos()]).toEqual([1, 0, []]);
  unsubscribe();
});

it('only web URLs are error pages', () => {
  expect(
    errorPageUrls({ ERROR_PAGE_URL: 'https://a.example/e.html', MAINTENANCE_PAGE_URL: '//a.example/m' }),
  ).toEqual({
    error: 'https://a.example/e.html',
    maintenance: '//a.example/m',
  });
  expect(errorPageUrls({ ERROR_PAGE_URL: 'javascript:alert(1)', MAINTENANCE_PAGE_URL: '' })).toEqual({});
});
