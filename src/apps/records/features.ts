/** Features that can be enabled for an app (`labs:enable`), and those that are. */
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** A switch; `state` is Heroku's: `beta` is listed by `labs`, `general` by `features`. */
interface Feature {
  readonly description: string;
  readonly state: 'beta' | 'general';
  /** Before anybody has switched it. */
  readonly enabled: boolean;
}

/** Heroku's names, where it has them. */
export const FEATURES = {
  'log-runtime-metrics': {
    description:
      'Lines with memory and load of each dyno, every 20 seconds (sample#memory_total=…, sample#load_avg_1m=…)',
    state: 'beta',
    enabled: false,
  },
  preboot: {
    description: 'New web dynos start beside the old ones, which stop when the new ones are up',
    state: 'general',
    enabled: true,
  },
  'auto-rollback': {
    description: 'A release whose web dynos do not come up is rolled back, if the one before it served',
    state: 'beta',
    enabled: false,
  },
} as const satisfies Record<string, Feature>;
export type FeatureName = keyof typeof FEATURES;
export const FEATURE_NAMES = Object.keys(FEATURES) as readonly FeatureName[];

/** What was switched, under this key in an app's scope. */
const FEATURES_KEY = 'features';
type FeaturesRecord = Partial<Record<string, boolean>>;

/** Is it on for the app? What nobody has switched is as {@link FEATURES} says. @throws TailraceError `unavailable` when the store is */
export async function hasFeature(store: Store, app: AppId, name: FeatureName): Promise<boolean> {
  return (await store.get<FeaturesRecord>(app, FEATURES_KEY))?.value[name] ?? FEATURES[name].enabled;
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
