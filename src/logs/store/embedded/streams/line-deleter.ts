import { basename } from 'node:path';
import { TailraceError } from '../../../../common/errors.ts';
import { syncFolder } from '../../../../common/files/sync-folder.ts';
import type { AppId, Sequence } from '../../contract.ts';
import type { CommitLog } from '../commit-log/commit-log.ts';
import {
  type ErasureJournal,
  eraseFromSegment,
  type PickLines,
  removeNewFiles,
  replaceFiles,
} from '../segments/line-eraser.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import type { Segment } from '../segments/segment.ts';
import type { OpenStream } from './open-stream.ts';

/** Who deletes lines waits so long at the most until they are in segments, and looks this often. */
const SETTLE_MS = 60_000;
const SETTLE_PAUSE_MS = 5;

export interface LineDeleterOptions {
  readonly files: OpenFileCache;
  readonly commitLog: CommitLog;
  /** Where deletions are noted. */
  readonly journal: ErasureJournal;
  /** Opens the app's stream, and keeps it open. */
  readonly open: (app: AppId) => OpenStream;
  /** The app's stream, if it is open. */
  readonly openStreamOf: (app: AppId) => OpenStream | undefined;
  /** Writes what is in the commit log only to an app's segment. */
  readonly writeToSegment: (app: AppId) => void;
  /** Syncs everything that was written to the disk, and notes how far the streams are. */
  readonly sync: () => Promise<void>;
}

/** Deletes lines of streams, one call at a time: first they are brought into segments, and then these are written anew. */
export class LineDeleter {
  private readonly options: LineDeleterOptions;

  constructor(options: LineDeleterOptions) {
    this.options = options;
  }

  /**
   * Deletes lines from an app's segments, and what is left of them in the commit log, all or none.
   * @returns how many
   */
  async run(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: PickLines,
  ): Promise<number> {
    const { files, journal, open, openStreamOf, sync } = this.options;
    const last = Math.min(range.last, open(app).stream.bounds.last);
    const { stream, appender } = await this.settle(app, last);
    const concerned = stream.segments.filter(
      ({ first }, i) => first <= last && (stream.segments[i + 1]?.first ?? Infinity) > range.first,
    );
    stream.removeOldBytes(!appender.idle);
    await journal.put(app, {});
    const replaced: Segment[] = [];
    let lines = 0;
    try {
      for (const segment of concerned) {
        const erased = await eraseFromSegment(segment, stream.seed, { ...range, last }, pick);
        if (erased > 0) replaced.push(segment);
        lines += erased;
      }
      if (replaced.length > 0) {
        await syncFolder(stream.folder);
        await journal.put(app, { files: replaced.map(({ path }) => basename(path)) });
        // The app may have been removed meanwhile.
        if (openStreamOf(app)?.stream !== stream) lines = 0;
        else {
          replaceFiles(replaced.map(({ path }) => path));
          for (const segment of replaced) {
            files.close(segment.path);
            stream.replaceSegment(segment);
          }
          await syncFolder(stream.folder);
        }
      }
    } finally {
      removeNewFiles(stream.folder);
      await journal.put(app, undefined);
    }
    await sync();
    return lines;
  }

  /**
   * Waits until the lines of an app up to one are in segments to which nothing is added, and in no file of the commit log.
   * @throws TailraceError `unavailable` when that takes too long
   */
  private async settle(app: AppId, last: Sequence): Promise<OpenStream> {
    const { commitLog, writeToSegment, sync } = this.options;
    const open = this.options.open(app);
    const { stream, appender } = open;
    const endMs = performance.now() + SETTLE_MS;
    const wait = async (): Promise<void> => {
      if (performance.now() > endMs)
        throw new TailraceError(
          'unavailable',
          'Lines are written too slowly to delete some of them: try again.',
        );
      await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS));
    };
    while (stream.lastWritten < last) {
      writeToSegment(app);
      if (stream.lastWritten < last) await wait();
    }
    const newest = stream.segments.at(-1);
    if (newest && newest.first <= last) {
      stream.sealNewest();
      while (appender.isWritingTo(newest)) await wait();
      newest.cutOldBytes();
    }
    commitLog.closeFile();
    while (commitLog.isClosingFile) {
      await wait();
      // What was on its way may have ended before that was asked.
      if (commitLog.isClosingFile) commitLog.closeFile();
    }
    const files = commitLog.full.paths;
    await commitLog.full.writeAll(async () => {
      await sync();
      const left = commitLog.full.paths;
      if (!files.some((name) => left.includes(name))) return true;
      await wait();
      return false;
    });
    return open;
  }
}
