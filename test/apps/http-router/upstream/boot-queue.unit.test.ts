import { expect, it } from 'vitest';
import type { RoutedApp } from '../../../../src/apps/http-router/app-lookup.ts';
import { BootQueue } from '../../../../src/apps/http-router/upstream/boot-queue.ts';

/** An app that starts, and may be renamed. */
function startingApp(name: string) {
  const listeners = new Set<() => void>();
  const app: RoutedApp & { name: string } = {
    name,
    isBlank: false,
    maintenance: false,
    errorPages: {},
    webDynos: () => [],
    desiredWebDynos: () => 1,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    log: () => {},
  };
  return { app, listeners };
}

it('requests wait for their own app, whatever it and others are called meanwhile', () => {
  const queue = new BootQueue();
  const [first, second] = [startingApp('shop'), startingApp('next')];
  const noticed: string[] = [];
  const waiting = { dynosChanged: () => noticed.push('first') };
  queue.join(first.app, waiting);
  first.app.name = 'old-shop';
  second.app.name = 'shop';
  queue.join(second.app, { dynosChanged: () => noticed.push('second') });
  for (const listener of second.listeners) listener();
  expect(noticed).toEqual(['second']);
  queue.leave(first.app, waiting);
  expect(first.listeners.size).toBe(0);
});
