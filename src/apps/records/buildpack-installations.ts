/** The buildpacks that were set for an app (`buildpacks:add`), in their order. */
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** Under this key in an app's scope. */
const BUILDPACKS_KEY = 'buildpacks';
type BuildpacksRecord = readonly string[];

/** What each is named by: `heroku/nodejs`, a URL, a folder. */
export async function loadBuildpacks(store: Store, app: AppId): Promise<readonly string[]> {
  return (await store.get<BuildpacksRecord>(app, BUILDPACKS_KEY))?.value ?? [];
}

/** @throws TailraceError `conflict` when somebody else changed them meanwhile */
export async function saveBuildpacks(store: Store, app: AppId, buildpacks: readonly string[]): Promise<void> {
  const before = await store.get<BuildpacksRecord>(app, BUILDPACKS_KEY);
  const committed = await store.transact(app, [
    { key: BUILDPACKS_KEY, value: buildpacks, ifVersion: before?.version ?? 0 },
  ]);
  if (!committed) throw new TailraceError('conflict', 'Somebody else is changing this app: try again.');
}
