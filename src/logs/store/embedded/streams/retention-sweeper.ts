import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AppLimitTable } from '../../app-limits.ts';
import type { AppId } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import type { StoreClock } from '../store-clock.ts';
import type { OpenStream } from './open-stream.ts';

export interface RetentionSweeperOptions {
  /** Where the streams are, a folder each. */
  readonly folder: string;
  readonly limits: AppLimitTable;
  readonly clock: StoreClock;
  readonly place: FolderIdentity;
  /** The streams that are open. */
  readonly openStreams: ReadonlyMap<AppId, OpenStream>;
  /** Opens the app's stream, which trims it. */
  readonly open: (app: AppId) => OpenStream;
  /** Closes a stream that nobody uses. */
  readonly close: (open: OpenStream) => void;
  /** Is a stream's note waiting, or being written? */
  readonly isNoteDue: (app: AppId) => boolean;
  /** Called for a stream that can't be opened. */
  readonly onUnusable: (app: AppId, error: unknown) => void;
}

/** Trims streams to what they may hold, also those that nobody has opened. */
export class RetentionSweeper {
  private readonly options: RetentionSweeperOptions;
  /** When the oldest batch was stored of a stream that isn't open, milliseconds since 1970. */
  private readonly oldestAtMs = new Map<AppId, number>();
  /** Streams that were opened only to be trimmed. */
  private readonly openedToTrim = new Set<AppId>();

  constructor(options: RetentionSweeperOptions) {
    this.options = options;
  }

  /** When the oldest batch of a stream that isn't open was stored, milliseconds since 1970; undefined: it is empty. */
  noteOldest(app: AppId, storedAtMs: number | undefined): void {
    if (storedAtMs !== undefined) this.oldestAtMs.set(app, storedAtMs);
  }

  /** Somebody uses the stream: it isn't closed behind their back. */
  keepOpen(app: AppId): void {
    this.openedToTrim.delete(app);
  }

  /** Removes what is too old. A stream that nobody uses is opened when something in it is, and not for longer. */
  sweep(): void {
    const { place, clock, limits, openStreams } = this.options;
    if (place.check() !== undefined) return;
    for (const app of this.openedToTrim) this.closeUnused(app);
    for (const [app, storedAtMs] of this.oldestAtMs) {
      if (!openStreams.has(app) && clock.ageOf(storedAtMs) <= limits.retentionOf(app).ageMs) continue;
      this.oldestAtMs.delete(app);
      if (!openStreams.has(app)) this.openToTrim(app);
    }
    for (const { stream, appender } of openStreams.values()) {
      stream.trim();
      try {
        stream.removeIdleFiles(!appender.idle);
      } catch {
        // The next time.
      }
    }
  }

  /** What some streams may hold has changed: they are trimmed to that. */
  onLimitsChanged(apps: readonly AppId[]): void {
    const { place, limits, openStreams, folder } = this.options;
    const isInPlace = place.check() === undefined;
    for (const app of apps) {
      const open = openStreams.get(app);
      if (open) open.stream.retention = limits.retentionOf(app);
      if (!isInPlace) continue;
      if (open) open.stream.trim();
      else if (existsSync(join(folder, app))) this.openToTrim(app);
    }
  }

  private openToTrim(app: AppId): void {
    try {
      this.options.open(app);
      this.openedToTrim.add(app);
    } catch (error) {
      this.options.onUnusable(app, error);
    }
  }

  /** A stream was trimmed, and that is noted: unless somebody uses it, its memory is given back. */
  private closeUnused(app: AppId): void {
    const { openStreams, isNoteDue, close } = this.options;
    const open = openStreams.get(app);
    if (open && isNoteDue(app)) return;
    this.openedToTrim.delete(app);
    if (!open?.appender.idle || !open.stream.isSettled || open.stream.lastWritten !== open.notedUpTo) return;
    if (!open.stream.isWritten || open.committing > 0 || open.appender.hasUnsynced) return;
    // Before its files are closed: it may be looked for in one.
    this.noteOldest(app, open.stream.oldestStoredAtMs);
    close(open);
  }
}
