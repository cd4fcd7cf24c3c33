import { ThreadRunner } from './jobs/thread-runner.ts';
import { type LineStoreOptions, PackedLineStore } from './packed-line-store.ts';

/**
 * Opens the line store of a folder, and goes on packing where the process before this one ended. Streams that it has parts of are followed
 * from the start; call `follow` for every other one.
 */
export async function openLineStore(options: Omit<LineStoreOptions, 'runner'>): Promise<PackedLineStore> {
  const lines = new PackedLineStore({ ...options, runner: new ThreadRunner() });
  await lines.ready;
  return lines;
}
