import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { DiskQueue } from '../../apps/forwarder/files/disk-queue.ts';
import type { FileFollower } from '../../apps/forwarder/files/file-follower.ts';
import type { Shipper } from '../../apps/forwarder/shipper.ts';
import { TailraceError } from '../../common/errors.ts';
import { makeDirectory } from '../../common/files/make-directory.ts';
import { replaceFileNow } from '../../common/files/replace-file.ts';
import { chooseNewFiles, findMatches, isGone, type MatchedFile } from './file-pattern.ts';
import { printNotice } from './ship-options.ts';

/** How often it is looked for new files, and, where that takes long, how many times as long as it takes. */
const SCAN_INTERVAL_MS = 1_000;
const SCAN_PAUSE_RATIO = 20;
/** A file that is gone so long isn't followed any more. */
const GONE_MS = 60_000;

/** A file that is followed, and what ships its lines. */
export interface FollowedFile {
  readonly path: string;
  readonly file: FileFollower;
  readonly shipper: Shipper;
  readonly queue: DiskQueue;
  readonly spoolFolder: string;
  /** Resolves when it isn't followed any more. */
  readonly ended: Promise<void>;
}

export interface PatternFollowerOptions {
  /** An absolute path with `*` and the like. */
  readonly pattern: string;
  /** A file that says which files were followed before. */
  readonly marker: string;
  /** Read what the first files hold already; later ones are always read from their beginning. */
  readonly fromStart: boolean;
  readonly filesMax: number;
  /** @throws TailraceError when it can't be followed */
  readonly follow: (path: string, fromStart: boolean) => FollowedFile;
  readonly stop: AbortSignal;
}

/** Follows the files that a pattern names, with those that appear, until they are gone. */
export class PatternFollower {
  private readonly options: PatternFollowerOptions;
  private readonly followed = new Map<string, FollowedFile>();
  /** When those that aren't there were missed first. */
  private readonly missedAtMs = new Map<string, number>();
  private readonly notices = new Set<string>();
  /** What the marker says. */
  private written: string | undefined;

  constructor(options: PatternFollowerOptions) {
    this.options = options;
  }

  /** @returns the files that are still followed when it is stopped, read to their end */
  async follow(): Promise<FollowedFile[]> {
    const { stop, pattern } = this.options;
    const before = this.readMarker();
    // Those that are gone by now may have left lines that aren't delivered.
    for (const path of before ?? []) this.add(path, true);
    let fromStart = before !== undefined || this.options.fromStart;
    for (let isFirst = true; !stop.aborted; isFirst = false) {
      const startMs = performance.now();
      const matches = await findMatches(pattern);
      if (isFirst && matches.length === 0) printNotice(`Nothing matches ${pattern} yet: waiting for files.`);
      this.addNew(matches, fromStart);
      fromStart = true;
      await this.removeGone(matches);
      const pauseMs = Math.max(SCAN_INTERVAL_MS, (performance.now() - startMs) * SCAN_PAUSE_RATIO);
      await wait(pauseMs, undefined, { signal: stop }).catch(() => undefined);
    }
    const left = [...this.followed.values()];
    for (const { file } of left) file.stop();
    await Promise.all(left.map(({ ended }) => ended));
    return left;
  }

  private addNew(matches: readonly MatchedFile[], fromStart: boolean): void {
    const { filesMax, pattern } = this.options;
    const current = new Map([...this.followed].map(([path, { file }]) => [path, file.checkpoint] as const));
    const chosen = chooseNewFiles(matches, current);
    const free = Math.max(0, filesMax - this.followed.size);
    if (chosen.length > free)
      this.noticeOnce(
        `${pattern} names more than ${filesMax} files: those that were written last are followed (--max-files).`,
      );
    let isChanged = false;
    for (const { path } of chosen.slice(0, free)) isChanged = this.add(path, fromStart) || isChanged;
    if (isChanged || chosen.length === 0) this.writeMarker();
  }

  private add(path: string, fromStart: boolean): boolean {
    try {
      this.followed.set(path, this.options.follow(path, fromStart));
      return true;
    } catch (error) {
      // Another process follows it, say: it is tried again with the next scan.
      if (!(error instanceof TailraceError)) throw error;
      this.noticeOnce(error.message);
      return false;
    }
  }

  /** It is looked again every second. */
  private noticeOnce(message: string): void {
    if (this.notices.has(message)) return;
    this.notices.add(message);
    printNotice(message);
  }

  /** Lets go of files that were removed, when all of their lines are delivered. */
  private async removeGone(matches: readonly MatchedFile[]): Promise<void> {
    const nowMs = performance.now();
    for (const [path, followed] of this.followed) {
      if (!isGone(path, followed.file.checkpoint, matches)) {
        this.missedAtMs.delete(path);
        continue;
      }
      const sinceMs = this.missedAtMs.get(path) ?? nowMs;
      this.missedAtMs.set(path, sinceMs);
      if (nowMs - sinceMs < GONE_MS || !followed.queue.isEmpty) continue;
      this.missedAtMs.delete(path);
      this.followed.delete(path);
      followed.file.stop();
      await followed.ended;
      const { bufferedBytes } = await followed.shipper.close(SCAN_INTERVAL_MS);
      // The next file of that name is another one, from its beginning.
      if (bufferedBytes === 0) rmSync(followed.spoolFolder, { recursive: true, force: true });
      this.writeMarker();
    }
  }

  /** Undefined: the pattern is new here. */
  private readMarker(): string[] | undefined {
    try {
      const paths: unknown = JSON.parse(readFileSync(this.options.marker, 'utf8'));
      return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : undefined;
    } catch {
      return undefined;
    }
  }

  private writeMarker(): void {
    const { marker } = this.options;
    const text = JSON.stringify([...this.followed.keys()]);
    if (this.written === text) return;
    try {
      makeDirectory(dirname(marker), 0o700);
      // Synced: without it, what the files hold would count as shipped before.
      replaceFileNow(marker, text);
      this.written = text;
    } catch (error) {
      this.noticeOnce(
        `Which files were followed can't be noted in ${marker} (${error instanceof Error ? error.message : error}).`,
      );
    }
  }
}
