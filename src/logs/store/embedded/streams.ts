import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../common/errors.ts';
import type { AppId, Retention, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import { type AllocatedBatch, AppStream } from './app-stream.ts';
import { Appender } from './appender.ts';
import type { SegmentEntry } from './entry-format.ts';
import { OpenFileCache } from './open-file-cache.ts';

/** Begins the name of a folder whose stream is being removed. */
const DROPPED_PREFIX = '.dropped-';

export interface EmbeddedStreamsOptions {
  /** Where they are kept, a folder each. */
  readonly folder: string;
  readonly retention: Retention;
  readonly durability: 'process' | 'disk';
  /** Called for batches with a frame id that were written last, when a stream is opened. */
  readonly onFrameId: (app: AppId, entry: SegmentEntry) => void;
}

interface OpenStream {
  readonly stream: AppStream;
  readonly appender: Appender;
}

/** The streams of all apps, each opened at its first use. */
export class EmbeddedStreams {
  private readonly options: EmbeddedStreamsOptions;
  private readonly files = new OpenFileCache();
  private readonly byApp = new Map<AppId, OpenStream>();

  constructor(options: EmbeddedStreamsOptions) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(options.folder))
      if (name.startsWith(DROPPED_PREFIX)) void this.remove(join(options.folder, name));
  }

  /** The app's stream, opened. */
  get(app: AppId): AppStream {
    return this.open(app).stream;
  }

  /**
   * Writes allocated batches, all of them or none; resolves when they can be read. When that fails, they and all that were
   * allocated after them are rolled back.
   */
  append(app: AppId, allocated: readonly AllocatedBatch[]): Promise<void> {
    return this.open(app).appender.append(allocated);
  }

  async read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    const { stream } = this.open(app);
    const from = Math.max(after + 1, stream.first);
    const found: StoredBatch[] = [];
    let size = 0;
    const segments = stream.segments.filter(
      (_, i) => i === stream.segments.length - 1 || stream.segments[i + 1].first > from,
    );
    for (const segment of segments) {
      for (const batch of await emptyIfTrimmed(segment.batchesFrom(from, bytes - size))) {
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) break;
    }
    return found;
  }

  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    const { stream } = this.open(app);
    const found: StoredBatch[] = [];
    let size = 0;
    for (const segment of stream.segments.filter(({ first }) => first < before).reverse()) {
      for (const batch of await emptyIfTrimmed(segment.batchesBefore(before, bytes - size))) {
        if (batch.last < stream.first) return found;
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) break;
    }
    return found;
  }

  bounds(app: AppId): StreamBounds {
    return this.open(app).stream.bounds;
  }

  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const { stream } = this.open(app);
    let found: Sequence | undefined;
    for (const segment of [...stream.segments].reverse()) {
      if ((await segment.storedAtMs()) >= ms) continue;
      found = await segment.sequenceAt(ms);
      if (found !== undefined) break;
    }
    return Math.max(found ?? 0, stream.first - 1);
  }

  /** Removes an app's stream. */
  async dropStream(app: AppId): Promise<void> {
    const { stream, appender } = this.open(app);
    while (!appender.idle) await appender.flush();
    for (const { path } of stream.segments) this.files.close(path);
    this.byApp.delete(app);
    if (!existsSync(stream.folder)) return;
    // Atomically: what is half removed must not come back.
    const aside = join(this.options.folder, `${DROPPED_PREFIX}${app}-${Date.now()}`);
    renameSync(stream.folder, aside);
    await this.remove(aside);
  }

  /** Removes what is too old, in the streams that were used since the start. */
  trimAged(): void {
    const now = Date.now();
    for (const { stream } of this.byApp.values()) stream.trim(now);
  }

  /** Bytes of all files on the disk. */
  async diskBytes(): Promise<number> {
    const entries = await readdir(this.options.folder, { recursive: true, withFileTypes: true });
    let bytes = 0;
    for (const entry of entries)
      if (entry.isFile())
        bytes += await stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0, // trimmed meanwhile
        );
    return bytes;
  }

  /** Syncs everything that was written to the disk. */
  async sync(): Promise<void> {
    for (const { appender } of this.byApp.values()) await appender.sync();
  }

  async close(): Promise<void> {
    for (const { appender } of this.byApp.values()) while (!appender.idle) await appender.flush();
    await this.sync();
    this.files.closeAll();
  }

  private open(app: AppId): OpenStream {
    let open = this.byApp.get(app);
    if (!open) {
      const { folder, retention, durability, onFrameId } = this.options;
      const stream = new AppStream(join(folder, app), retention, this.files, (entry) =>
        onFrameId(app, entry),
      );
      open = { stream, appender: new Appender(stream, this.files, durability) };
      this.byApp.set(app, open);
    }
    return open;
  }

  private async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // tried again at the next start
  }
}

/** A segment that was trimmed while it was read gives nothing. */
async function emptyIfTrimmed(batches: Promise<StoredBatch[]>): Promise<StoredBatch[]> {
  try {
    return await batches;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
