import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import {
  currentRelease,
  findRelease,
  initialRelease,
  nextRelease,
  pendingRelease,
  type ReleaseChange,
  type ReleaseRecord,
} from './release-record.ts';

const RELEASE_KEY_PREFIX = 'release/';
/** When two change the same app at once, the later one reads again. More than a few in a row are no coincidence. */
const ATTEMPTS_MAX = 20;

/** The releases of all apps, as records in the store. */
export class Releases {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Creates the first release of a new app. */
  async createInitial(app: AppId, createdAt: string): Promise<void> {
    const first = { ...initialRelease(app), id: randomUUID(), createdAt };
    await this.store.transact(app, [{ key: releaseKey(1), value: first, ifVersion: 0 }]);
  }

  /** All of an app, oldest first. An app has one from its beginning. */
  async list(app: AppId): Promise<ReleaseRecord[]> {
    const records = await this.store.list<ReleaseRecord>(app, RELEASE_KEY_PREFIX);
    return records.length > 0 ? records.map(({ value }) => value) : [initialRelease(app)];
  }

  /** The id of a release; undefined when there is no such version. */
  async idOf(app: AppId, version: number): Promise<string | undefined> {
    return (await this.store.get<ReleaseRecord>(app, releaseKey(version)))?.value.id;
  }

  /** What the app runs. */
  async current(app: AppId): Promise<ReleaseRecord> {
    return currentRelease(await this.list(app));
  }

  /**
   * One release, by its version (`2`, `v2`) or id.
   * @throws TailraceError `not_found`
   */
  async get(app: AppId, which: string): Promise<ReleaseRecord> {
    const found = findRelease(await this.list(app), which);
    if (!found) throw new TailraceError('not_found', "Couldn't find that release.");
    return found;
  }

  /**
   * Adds a release: all of the change or none of it, also when others change the app at the same time.
   * @param change what is different from the current release; called again after a conflict; undefined: nothing to do
   * @throws TailraceError `conflict` while the release command of another runs, which may become the current one
   */
  async add(
    app: AppId,
    change: (current: ReleaseRecord) => ReleaseChange | undefined,
  ): Promise<ReleaseRecord> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const all = await this.list(app);
      const current = currentRelease(all);
      const requested = change(current);
      if (!requested) return current;
      const pending = pendingRelease(all, Date.now());
      if (pending)
        throw new TailraceError(
          'conflict',
          `The release command of v${pending.version} is running: try again when it has ended (see \`tailrace releases\`).`,
        );
      const next = nextRelease(all, requested, { id: randomUUID(), createdAt: new Date().toISOString() });
      // The first release of an app made by an older version becomes a record together with the second.
      const first = next.version === 2 ? [{ key: releaseKey(1), value: all[0] }] : [];
      const committed = await this.store.transact(app, [
        ...first,
        { key: releaseKey(next.version), value: next, ifVersion: 0 },
      ]);
      if (committed) return next;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /**
   * A pending release has ended.
   * @param output what its command said; kept as long as the release is one of the newest
   * @returns false if it isn't pending any more
   */
  async finish(
    app: AppId,
    version: number,
    status: 'succeeded' | 'failed',
    output: string,
  ): Promise<boolean> {
    const record = await this.store.get<ReleaseRecord>(app, releaseKey(version));
    if (record?.value.status !== 'pending') return false;
    const old = await this.store.list(app, OUTPUT_KEY_PREFIX);
    const { server: _, ...release } = record.value;
    return this.store.transact(app, [
      { key: releaseKey(version), value: { ...release, status }, ifVersion: record.version },
      { key: outputKey(version), value: output.slice(-OUTPUT_CHARS_MAX) },
      ...old.slice(0, 1 - OUTPUTS_MAX).map(({ key }) => ({ key, value: undefined })),
    ]);
  }

  /** What a release's command said; undefined if that isn't known. */
  async output(app: AppId, version: number): Promise<string | undefined> {
    return (await this.store.get<string>(app, outputKey(version)))?.value;
  }
}

/** What release commands said, of an app's newest releases, the end of each. */
const OUTPUT_KEY_PREFIX = 'release-output/';
const OUTPUTS_MAX = 20;
const OUTPUT_CHARS_MAX = 65_536;

function outputKey(version: number): string {
  return OUTPUT_KEY_PREFIX + String(version).padStart(8, '0');
}

function releaseKey(version: number): string {
  return RELEASE_KEY_PREFIX + String(version).padStart(8, '0');
}
