import type { Store } from '../../../src/logs/store/contract.ts';

/** A store that is as the given one, and what it was asked: the names of functions, with what they were given. */
export function countingStore(store: Store): { store: Store; asked: (readonly [string, ...unknown[]])[] } {
  const asked: (readonly [string, ...unknown[]])[] = [];
  const counted = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        asked.push([String(name), ...args]);
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { store: counted, asked };
}
