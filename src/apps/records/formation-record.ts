/** How many dynos of each type an app shall have, and of what size, so that it holds after a restart too. */

import type { AppId, Store } from '../../logs/store/contract.ts';
import { SIZES_KEY, type SizesRecord } from './dyno-sizes.ts';

/** In an app's scope. */
const FORMATION_KEY = 'formation';
type Counts = Readonly<Record<string, number>>;

/** Before anybody has scaled it. */
const FIRST: Counts = { web: 1 };

export async function rememberedCounts(store: Store, app: AppId): Promise<Counts> {
  return (await store.get<Counts>(app, FORMATION_KEY))?.value ?? FIRST;
}

/** Changes both, or nothing. */
export async function rememberFormation(
  store: Store,
  app: AppId,
  counts: Counts,
  sizes: SizesRecord,
): Promise<void> {
  for (;;) {
    const [formation, all] = await Promise.all([
      store.get<Counts>(app, FORMATION_KEY),
      store.get<SizesRecord>(app, SIZES_KEY),
    ]);
    const changes = [
      ...(Object.keys(counts).length === 0
        ? []
        : [
            {
              key: FORMATION_KEY,
              value: { ...(formation?.value ?? FIRST), ...counts },
              ifVersion: formation?.version ?? 0,
            },
          ]),
      ...(Object.keys(sizes).length === 0
        ? []
        : [{ key: SIZES_KEY, value: { ...all?.value, ...sizes }, ifVersion: all?.version ?? 0 }]),
    ];
    if (changes.length === 0 || (await store.transact(app, changes))) return;
  }
}
