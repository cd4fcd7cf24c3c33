import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import type { SlugFiles } from '../../build/slug-files.ts';
import type { AppRegistry } from '../../records/app-registry.ts';
import { type SlugRecord, slugRecordKey } from '../../records/slug-record.ts';

interface AdoptSlugOptions {
  readonly store: Store;
  readonly appRegistry: Pick<AppRegistry, 'listApps'>;
  readonly slugFiles: Pick<SlugFiles, 'copy' | 'has'>;
}

/**
 * A slug for an app to release: its own, or a copy of another app's, which it keeps when that one goes.
 * @returns the slug's id
 * @throws TailraceError `not_found` when no app has it, or its files aren't on this machine
 */
export async function adoptSlug(
  { store, appRegistry, slugFiles }: AdoptSlugOptions,
  app: AppId,
  id: string,
): Promise<string> {
  const isOwn = (await store.get<SlugRecord>(app, slugRecordKey(id))) !== undefined;
  const found = isOwn ? undefined : await findSlug(store, await appRegistry.listApps(), id);
  if (!slugFiles.has(id) || (!isOwn && found === undefined))
    throw new TailraceError('not_found', "Couldn't find that slug.");
  if (found === undefined) return id;
  const copy: SlugRecord = { ...found, id: randomUUID(), createdAt: new Date().toISOString() };
  await slugFiles.copy(id, copy.id);
  await store.transact(app, [{ key: slugRecordKey(copy.id), value: copy, ifVersion: 0 }]);
  return copy.id;
}

async function findSlug(
  store: Store,
  apps: readonly { readonly id: AppId }[],
  id: string,
): Promise<SlugRecord | undefined> {
  for (const app of apps) {
    const found = await store.get<SlugRecord>(app.id, slugRecordKey(id));
    if (found) return found.value;
  }
  return undefined;
}
