/**
 * The conformance suite of stores: run against each implementation of `src/logs/store/contract.ts`, unchanged.
 */
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import type { Retention, Store } from '../../../../src/logs/store/contract.ts';
import { deletionSuite } from './deletion.ts';
import { leaseSuite } from './leases.ts';
import { limitSuite } from './limits.ts';
import { recordSuite } from './records.ts';
import { restoreSuite } from './restore.ts';
import { retentionSuite } from './retention.ts';
import { streamSuite } from './streams.ts';
import { subscriptionSuite } from './subscriptions.ts';

/** Where a store keeps its data: a folder, a server … */
export interface StoreLocation {
  /** Opens a store on the data that is there. */
  open(retention: Retention): Promise<Store>;
  /** May several stores be open at once (many routers on one server)? */
  readonly shared: boolean;
  remove(): Promise<void>;
}

/** Opens stores on the same data; they are closed after the test. */
export interface StoreOpener {
  open(retention?: Partial<Retention>): Promise<Store>;
  readonly shared: boolean;
}

const LARGE_RETENTION: Retention = { lines: 1_000_000, bytes: 1 << 30, ageMs: 86_400_000 };

export function storeSuite(name: string, makeLocation: () => Promise<StoreLocation>): void {
  describe(`the store contract: ${name}`, () => {
    let location: StoreLocation | undefined;
    const opened = new Set<Store>();
    beforeAll(async () => {
      location = await makeLocation();
    });
    afterEach(async () => {
      for (const store of opened) await store.close();
      opened.clear();
    });
    afterAll(async () => {
      await location?.remove();
    });

    const opener: StoreOpener = {
      async open(retention) {
        if (!location) throw new Error('there is no place to open a store on');
        const store = await location.open({ ...LARGE_RETENTION, ...retention });
        opened.add(store);
        store.onServerStarted();
        // A test may close its store itself: then it isn't closed twice.
        const close = store.close.bind(store);
        store.close = () => {
          opened.delete(store);
          return close();
        };
        return store;
      },
      get shared() {
        return location?.shared ?? false;
      },
    };
    streamSuite(opener);
    retentionSuite(opener);
    limitSuite(opener);
    restoreSuite(opener);
    deletionSuite(opener);
    subscriptionSuite(opener);
    recordSuite(opener);
    leaseSuite(opener);
  });
}
