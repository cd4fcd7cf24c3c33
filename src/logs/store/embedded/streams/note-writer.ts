import { unlink } from 'node:fs/promises';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import type { AppId } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import type { Segment } from '../segments/segment.ts';
import type { AppStream } from './app-stream.ts';
import type { OpenStream } from './open-stream.ts';
import type { StreamNote, StreamNotes } from './stream-note.ts';

export interface NoteWriterOptions {
  readonly notes: StreamNotes;
  readonly place: FolderIdentity;
  readonly files: OpenFileCache;
  /** The app's stream, if it is open. */
  readonly openStreamOf: (app: AppId) => OpenStream | undefined;
}

interface TrimmedSegment {
  readonly stream: AppStream;
  readonly segment: Segment;
}

/** Notes how far streams are, many with one write, and removes the files of trimmed segments once no note names them. */
export class NoteWriter {
  private readonly options: NoteWriterOptions;
  /** Streams that have to be noted. */
  private readonly changed = new Set<AppId>();
  private readonly writing = new CoalescedRun(() => this.write());
  private hasLastFailed = false;
  /** Segments whose files have to be removed once their streams are noted. */
  private readonly trimmed: TrimmedSegment[] = [];
  private isEnding = false;

  constructor(options: NoteWriterOptions) {
    this.options = options;
  }

  /** The last notes couldn't be written: those before them are still there. */
  get hasFailed(): boolean {
    return this.hasLastFailed;
  }

  /** Is a stream's note waiting, or may it be being written? */
  isDue(app: AppId): boolean {
    return this.changed.has(app) || this.writing.isRunning;
  }

  /** A stream has changed: it is noted at the end of this turn, since it may be about to open, or to take a batch. */
  noteSoon(app: AppId): void {
    this.changed.add(app);
    setImmediate(() => {
      if (!this.isEnding) void this.writing.request();
    });
  }

  /** A stream is noted with the next ones. */
  noteLater(app: AppId): void {
    this.changed.add(app);
  }

  /** Notes those of these streams that are further than their notes say, and what else has to be; resolves when that is on the disk, or failed. */
  async noteProgress(open: ReadonlyMap<AppId, OpenStream>): Promise<void> {
    for (const [app, { stream, notedUpTo }] of open)
      if (stream.lastWritten !== notedUpTo) this.changed.add(app);
    if (this.changed.size > 0) await this.writing.request();
  }

  /** Resolves when no note is being written. */
  async idle(): Promise<void> {
    while (this.writing.isRunning) await this.writing.idle();
  }

  /** A stream was removed. */
  forget(app: AppId): void {
    this.changed.delete(app);
  }

  /** From now on notes are written only when {@link noteProgress} is asked for. */
  end(): void {
    this.isEnding = true;
  }

  private async write(): Promise<void> {
    const { notes, place, files, openStreamOf } = this.options;
    const written = new Map<AppId, StreamNote>();
    // In another folder of the same name there may be files of the same names.
    const isInPlace = place.check() === undefined;
    const trimmed = isInPlace ? this.trimmed.splice(0) : [];
    for (const app of this.changed) {
      const open = openStreamOf(app);
      if (!open) continue;
      written.set(app, open.stream.note());
      open.notedUpTo = open.stream.lastWritten;
      const { stream } = open;
      if (isInPlace) for (const segment of stream.takeTrimmed()) trimmed.push({ stream, segment });
    }
    this.changed.clear();
    try {
      await notes.put(written);
      this.hasLastFailed = false;
    } catch {
      this.hasLastFailed = true;
      // With the next change: until then the files stay, since without them a note would say that lines are lost.
      this.trimmed.push(...trimmed);
      for (const app of written.keys()) this.changed.add(app);
      return;
    }
    // That took a while.
    const isStillInPlace = trimmed.length > 0 && place.check() === undefined;
    for (const { stream, segment } of trimmed) {
      if (isStillInPlace && stream.keepFile(segment)) continue;
      const { path } = segment;
      files.close(path);
      await unlink(path).catch(() => {}); // tried again at the next start
    }
  }
}
