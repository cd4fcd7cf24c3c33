import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';

/** Reads of one stream that are cached; each is about a megabyte. */
const CACHED_READS_MAX = 4;
const cache = new WeakMap<StreamReader, { edition: number; reads: Map<Sequence, CachedRead> }>();

interface CachedRead {
  readonly batches: Promise<readonly StoredBatch[]>;
  /** When the oldest of them was stored, milliseconds since 1970, once that is known. */
  storedAtMs: number;
}

/**
 * Batches after a sequence, from memory or the store. Tails that read the same history at the same time read it once, as the
 * same objects; the oldest reads are evicted as tails read on.
 */
export function cachedRead(reader: StreamReader, after: Sequence): Promise<readonly StoredBatch[]> {
  let own = cache.get(reader);
  if (own?.edition !== reader.edition) {
    own = { edition: reader.edition, reads: new Map() };
    cache.set(reader, own);
  }
  const { reads } = own;
  const cached = reads.get(after);
  if (cached && !reader.isTooOld(cached.storedAtMs)) return cached.batches;
  const batches = reader.readAfter(after);
  for (const oldest of reads.keys()) {
    if (reads.size < CACHED_READS_MAX) break;
    reads.delete(oldest);
  }
  const read = { batches, storedAtMs: Number.POSITIVE_INFINITY };
  reads.set(after, read);
  // A failure, or a read to the end (which may have grown), must not be what the next one gets.
  batches.then(
    (found) => {
      if (found.length === 0 || found[found.length - 1].last >= reader.newest) reads.delete(after);
      else read.storedAtMs = found[0].storedAtMs;
    },
    () => reads.delete(after),
  );
  return batches;
}
