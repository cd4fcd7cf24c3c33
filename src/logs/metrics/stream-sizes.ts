/** What all streams hold together, and which hold the most: asked for seldom, since there may be ten thousand. */
import { TimeSlices } from '../../common/limits/turns.ts';
import type { AppId, Store } from '../store/contract.ts';

/** Streams that are asked for together. */
const CHUNK = 500;

export interface StreamSize {
  readonly app: string;
  /** Bytes of the batches that it holds. */
  readonly heldBytes: number;
  /** What it takes of the disk, or of Redis' memory; undefined when that can't be told. */
  readonly storedBytes: number | undefined;
}

export interface AllStreamSizes {
  readonly apps: number;
  readonly heldBytes: number;
  /** The largest first. */
  readonly largest: readonly StreamSize[];
}

export interface StreamSizesOptions {
  readonly store: Store;
  readonly listApps: () => Promise<readonly { readonly id: AppId; readonly name: string }[]>;
  /** So many of the largest are told apart. */
  readonly largestMax: number;
}

export class StreamSizes {
  private readonly options: StreamSizesOptions;
  private last: { readonly atMs: number; readonly sizes: AllStreamSizes } | undefined;
  private reading: Promise<AllStreamSizes> | undefined;

  constructor(options: StreamSizesOptions) {
    this.options = options;
  }

  /** @param maxAgeMs what was read so long ago will do */
  async get(maxAgeMs: number): Promise<AllStreamSizes> {
    if (this.last && performance.now() - this.last.atMs <= maxAgeMs) return this.last.sizes;
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async read(): Promise<AllStreamSizes> {
    const { store, listApps, largestMax } = this.options;
    const apps = await listApps();
    const held: { id: AppId; app: string; heldBytes: number }[] = [];
    const slices = new TimeSlices();
    for (let i = 0; i < apps.length; i += CHUNK) {
      if (slices.isOver) await slices.next();
      const chunk = apps.slice(i, i + CHUNK);
      const bytes = await store.heldBytes(chunk.map(({ id }) => id));
      for (const [j, { id, name }] of chunk.entries()) held.push({ id, app: name, heldBytes: bytes[j] });
    }
    const heldBytes = held.reduce((sum, one) => sum + one.heldBytes, 0);
    held.sort((a, b) => b.heldBytes - a.heldBytes);
    const largest = await Promise.all(
      held
        .slice(0, largestMax)
        .filter((one) => one.heldBytes > 0)
        .map(async ({ id, app, heldBytes: bytes }) => ({
          app,
          heldBytes: bytes,
          storedBytes: await store.storedBytes(id),
        })),
    );
    const sizes = { apps: apps.length, heldBytes, largest };
    this.last = { atMs: performance.now(), sizes };
    return sizes;
  }
}
