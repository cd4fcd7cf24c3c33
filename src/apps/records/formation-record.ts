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

/** Of some process types. */
export interface FormationChange {
  readonly counts: Counts;
  readonly sizes: DynoSizesRecord;
}

/**
 * Changes both, or nothing; what isn't named stays. Returns the change that was made.
 * @param decide from the quantities that are stored, which routers that share a store may have changed meanwhile: then it is called again
 */
export async function changeFormation(
  store: Store,
  app: AppId,
  decide: (stored: Counts) => FormationChange,
): Promise<FormationChange> {
  for (;;) {
    const [formation, storedSizes] = await Promise.all([
      store.get<Counts>(app, FORMATION_KEY),
      store.get<DynoSizesRecord>(app, DYNO_SIZES_KEY),
    ]);
    const stored = formation?.value ?? DEFAULT_COUNTS;
    const change = decide(stored);
    const { counts, sizes } = change;
    const changes = [
      ...(Object.keys(counts).length === 0
        ? []
        : [{ key: FORMATION_KEY, value: { ...stored, ...counts }, ifVersion: formation?.version ?? 0 }]),
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
    if (changes.length === 0 || (await store.transact(app, changes))) return change;
  }
}
