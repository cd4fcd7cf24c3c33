/** The desired quantity of each process type of an app, and its size, which hold after a restart, too. */
import type { AppId, Store } from '../../logs/store/contract.ts';
import { DYNO_SIZES_KEY, type DynoSizesRecord } from './dyno-sizes.ts';

/** In an app's scope. */
const FORMATION_KEY = 'formation';
type Counts = Readonly<Record<string, number>>;

/** Of an app that was never scaled. */
const DEFAULT_COUNTS: Counts = { web: 1 };

/** How many dynos of each type an app should have. */
export async function loadFormation(store: Store, app: AppId): Promise<Counts> {
  return (await store.get<Counts>(app, FORMATION_KEY))?.value ?? DEFAULT_COUNTS;
}

/** Was the app ever scaled? */
export async function hasFormation(store: Store, app: AppId): Promise<boolean> {
  return (await store.get<Counts>(app, FORMATION_KEY)) !== undefined;
}

/** Changes both, or nothing; what isn't named stays. */
export async function saveFormation(
  store: Store,
  app: AppId,
  counts: Counts,
  sizes: DynoSizesRecord,
): Promise<void> {
  for (;;) {
    const [formation, storedSizes] = await Promise.all([
      store.get<Counts>(app, FORMATION_KEY),
      store.get<DynoSizesRecord>(app, DYNO_SIZES_KEY),
    ]);
    const changes = [
      ...(Object.keys(counts).length === 0
        ? []
        : [
            {
              key: FORMATION_KEY,
              value: { ...(formation?.value ?? DEFAULT_COUNTS), ...counts },
              ifVersion: formation?.version ?? 0,
            },
          ]),
      ...(Object.keys(sizes).length === 0
        ? []
        : [
            {
              key: DYNO_SIZES_KEY,
              value: { ...storedSizes?.value, ...sizes },
              ifVersion: storedSizes?.version ?? 0,
            },
          ]),
    ];
    if (changes.length === 0 || (await store.transact(app, changes))) return;
  }
}
