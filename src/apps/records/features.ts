/** Features that can be enabled for an app (`labs:enable`), and those that are. */
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** Heroku's names. */
export const FEATURES = {
  'log-runtime-metrics':
    'Lines with memory and load of each dyno, every 20 seconds (sample#memory_total=…, sample#load_avg_1m=…)',
} as const;
export type FeatureName = keyof typeof FEATURES;

/** Enabled features, under this key in an app's scope. */
const FEATURES_KEY = 'features';
type FeaturesRecord = Partial<Record<string, boolean>>;

export async function hasFeature(store: Store, app: AppId, name: FeatureName): Promise<boolean> {
  return (await store.get<FeaturesRecord>(app, FEATURES_KEY))?.value[name] ?? false;
}

/** @throws TailraceError `conflict` when somebody else changed the app's features meanwhile */
export async function switchFeature(
  store: Store,
  app: AppId,
  name: FeatureName,
  enabled: boolean,
): Promise<void> {
  const before = await store.get<FeaturesRecord>(app, FEATURES_KEY);
  const value = { ...before?.value, [name]: enabled };
  const committed = await store.transact(app, [
    { key: FEATURES_KEY, value, ifVersion: before?.version ?? 0 },
  ]);
  if (!committed) throw new TailraceError('conflict', 'Somebody else is changing this app: try again.');
}
