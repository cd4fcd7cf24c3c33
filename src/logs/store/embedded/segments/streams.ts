import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { systemCode } from '../../../../common/errors.ts';
import type { AppId, Retention, Sequence, StoredBatch, StreamBounds } from '../../contract.ts';
import { type AllocatedBatch, AppStream, type LostLines } from './app-stream.ts';
import { Appender } from './appender.ts';
import { checksumSeed, type SegmentEntry } from './entry-format.ts';
import { OpenFileCache } from './open-file-cache.ts';
import { isUntouched } from './recovery.ts';
import type { Segment } from './segment.ts';
import type { StreamNote, StreamNotes } from './stream-note.ts';

/** Begins the name of a folder whose stream is being removed. */
const DROPPED_PREFIX = '.dropped-';
/** Streams that are checked at the start between two turns of the event loop. */
const CHECKED_AT_ONCE = 16;
/** An app's id is its folder's name. */
const APP_ID_LENGTH = 36;
const APP_ID_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface EmbeddedStreamsOptions {
  /** Where they are kept, a folder each. */
  readonly folder: string;
  readonly retention: Retention;
  readonly durability: 'process' | 'disk';
  /** Called for batches with a frame id that were written last, when a stream is opened. */
  readonly onFrameId: (app: AppId, entry: SegmentEntry) => void;
  readonly notes: StreamNotes;
  /** Called when lines turn out to be lost. */
  readonly onLost: (app: AppId, lost: LostLines) => void;
  /** Called for a stream that can't be opened when all are checked. */
  readonly onUnusable: (app: AppId, error: unknown) => void;
}

interface OpenStream {
  readonly stream: AppStream;
  readonly appender: Appender;
  /** How far it was when it was noted last. */
  notedUpTo: Sequence;
}

/** The streams of all apps, each opened at its first use. */
export class EmbeddedStreams {
  private readonly options: EmbeddedStreamsOptions;
  private readonly files = new OpenFileCache();
  private readonly byApp = new Map<AppId, OpenStream>();
  /** Streams that were removed, and are still noted. */
  private readonly dropped = new Set<AppId>();
  /** Streams that have to be noted soon. */
  private readonly changed = new Set<AppId>();
  private readonly noting = new CoalescedRun(() => this.writeNotes());
  private isClosed = false;

  constructor(options: EmbeddedStreamsOptions) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(options.folder))
      if (name.startsWith(DROPPED_PREFIX)) {
        const app = name.slice(DROPPED_PREFIX.length, DROPPED_PREFIX.length + APP_ID_LENGTH) as AppId;
        void this.removeDropped(app, join(options.folder, name));
      }
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
      for (const batch of await emptyIfGone(stream, segment, segment.batchesFrom(from, bytes - size))) {
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
      for (const batch of await emptyIfGone(stream, segment, segment.batchesBefore(before, bytes - size))) {
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
    // Atomically: what is half removed must not come back.
    const aside = join(this.options.folder, `${DROPPED_PREFIX}${app}-${Date.now()}`);
    if (existsSync(stream.folder)) renameSync(stream.folder, aside);
    while (this.noting.isRunning) await this.noting.idle();
    this.changed.delete(app);
    await this.removeDropped(app, aside);
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

  /** The apps that have a folder, or a note. */
  apps(): AppId[] {
    const folders = readdirSync(this.options.folder).filter((name) => APP_ID_PATTERN.test(name)) as AppId[];
    return [...new Set([...folders, ...this.options.notes.apps()])];
  }

  /** Compares every stream with what was noted of it, and opens those that aren't as they were: that tells what is lost. */
  async checkAll(): Promise<void> {
    let checked = 0;
    for (const app of this.isClosed ? [] : this.apps()) {
      if (this.isClosed) return;
      try {
        if (!this.byApp.has(app) && !this.dropped.has(app) && !this.isUntouched(app)) this.open(app);
      } catch (error) {
        this.options.onUnusable(app, error);
      }
      if (++checked % CHECKED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Syncs everything that was written to the disk, and notes how far the streams are. */
  async sync(): Promise<void> {
    for (const [app, open] of this.byApp) {
      await open.appender.sync();
      if (open.stream.bounds.last !== open.notedUpTo) this.changed.add(app);
    }
    if (this.changed.size > 0) await this.noting.request();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const { appender } of this.byApp.values()) while (!appender.idle) await appender.flush();
    await this.sync();
    while (this.noting.isRunning) await this.noting.idle();
    this.files.closeAll();
  }

  private isUntouched(app: AppId): boolean {
    const { folder, notes } = this.options;
    return isUntouched(join(folder, app), notes.get(app), checksumSeed(app));
  }

  private async writeNotes(): Promise<void> {
    const notes = new Map<AppId, StreamNote>();
    const trimmed: Segment[] = [];
    for (const app of this.changed) {
      const open = this.byApp.get(app);
      if (!open) continue;
      notes.set(app, open.stream.note());
      open.notedUpTo = open.stream.bounds.last;
      trimmed.push(...open.stream.takeTrimmed());
    }
    this.changed.clear();
    // When it can't be noted now, it is with the next change.
    await this.options.notes.put(notes).catch(() => {});
    for (const { path } of trimmed) {
      this.files.close(path);
      await unlink(path).catch(() => {}); // tried again at the next start
    }
  }

  private open(app: AppId): OpenStream {
    let open = this.byApp.get(app);
    if (!open) {
      const { folder, retention, durability, onFrameId, onLost, notes } = this.options;
      const note = this.dropped.has(app) ? undefined : notes.get(app);
      const stream = new AppStream({
        app,
        folder: join(folder, app),
        retention,
        files: this.files,
        note,
        onFrameId: (entry) => onFrameId(app, entry),
        onLost: (lost) => onLost(app, lost),
        onChanged: () => {
          this.changed.add(app);
          // At the end of this turn: the stream may be about to open, or to take a batch.
          setImmediate(() => {
            if (!this.isClosed) void this.noting.request();
          });
        },
      });
      open = {
        stream,
        appender: new Appender(stream, this.files, durability),
        notedUpTo: (note?.next ?? 1) - 1,
      };
      this.byApp.set(app, open);
    }
    return open;
  }

  /** The note goes first: a stream that is noted and has no files would count as lost. */
  private async removeDropped(app: AppId, folder: string): Promise<void> {
    this.dropped.add(app);
    await this.options.notes.remove(app).catch(() => {}); // tried again at the next start
    this.dropped.delete(app);
    if (this.byApp.has(app)) this.changed.add(app);
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // so is this
  }
}

/** A segment that was trimmed while it was read gives nothing; one that is gone for another reason is a loss. */
async function emptyIfGone(
  stream: AppStream,
  segment: Segment,
  batches: Promise<StoredBatch[]>,
): Promise<StoredBatch[]> {
  try {
    return await batches;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    stream.segmentIsGone(segment);
    return [];
  }
}
