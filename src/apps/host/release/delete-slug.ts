import type { AppId, Store } from '../../../logs/store/contract.ts';
import { slugRecordKey } from '../../records/slug-record.ts';

/** Deletes a slug of an app with its file. It is no error when there is none. */
export async function deleteSlug(
  store: Store,
  slugFiles: { remove(id: string): Promise<void> },
  app: AppId,
  id: string,
): Promise<void> {
  await store.transact(app, [{ key: slugRecordKey(id), value: undefined }]);
  await slugFiles.remove(id);
}
