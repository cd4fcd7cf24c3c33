/** The task in the background that archives what is due, and removes what is too old or too much. */

import { backoffMs } from '../../../src/common/backoff.ts';
import { CoalescedRun } from '../../../src/common/coalesced-run.ts';
import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import type { Log } from '../../../src/common/log.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { LineStore } from '../store/contract.ts';
import { ARCHIVE_SCOPE, type ArchivedGroup, type ArchiveRecords, type Archiver } from './archiver.ts';
import {
  applyRetention,
  effectivePolicy,
  type RemovedLines,
  type RetentionPolicy,
  shrink,
} from './retention.ts';

/** A group with what it has set for itself. */
export interface KeptGroup extends ArchivedGroup {
  readonly keep?: RetentionPolicy;
}

export interface KeeperOptions {
  readonly store: LineStore;
  readonly records: ArchiveRecords;
  /** Undefined: nothing is archived. */
  readonly archiver?: Archiver;
  readonly archiveDescription?: string;
  readonly groups: () => Promise<readonly KeptGroup[]>;
  readonly defaults: RetentionPolicy;
  /** On disk, of all groups together. */
  readonly totalBytes?: number;
  readonly log: Log;
  readonly intervalMs?: number;
  readonly now?: () => number;
}

/** What the task has done, for `GET /api/status`. */
export interface KeepStatus {
  /** Where archives go; undefined: nowhere. */
  readonly archive: string | undefined;
  /** Why nothing is archived or removed now; undefined when all is well. */
  readonly trouble: string | undefined;
  /** Since the start. */
  readonly archivedFiles: number;
  readonly archivedLines: number;
  readonly lastArchivedAt: string | undefined;
  /** In all, also before the start. */
  readonly removed: RemovedLines & { readonly lastAt: string | undefined };
}

interface RemovedRecord extends RemovedLines {
  readonly lastAt: string | undefined;
}

const INTERVAL_MS = 60_000;
const RETRY = { firstMs: 10_000, maxMs: 600_000 };
const REMOVED_KEY = 'removed';
const NOTHING_REMOVED: RemovedRecord = { byAge: 0, byBytes: 0, lastAt: undefined };

export class Keeper {
  private readonly options: KeeperOptions;
  private readonly runs: CoalescedRun;
  private readonly ending = new AbortController();
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private trouble: string | undefined;
  private archivedFiles = 0;
  private archivedLines = 0;
  private lastArchivedAt: string | undefined;

  constructor(options: KeeperOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.runs = new CoalescedRun(() => this.work());
  }

  /** Looks at once for what is due, and then every minute. */
  start(): void {
    this.schedule(0);
  }

  /** Does what is due now; resolves when it is done, also when some of it failed. */
  async run(): Promise<void> {
    await this.runs.request();
  }

  /** What the task has done and why it can't; `removed` is stored, and counts on over restarts. */
  async status(): Promise<KeepStatus> {
    const removed = (await this.options.records.get<RemovedRecord>(ARCHIVE_SCOPE, REMOVED_KEY))?.value;
    return {
      archive: this.options.archiver ? this.options.archiveDescription : undefined,
      trouble: this.trouble,
      archivedFiles: this.archivedFiles,
      archivedLines: this.archivedLines,
      lastArchivedAt: this.lastArchivedAt,
      removed: removed ?? NOTHING_REMOVED,
    };
  }

  /** Stops what is under way where it can go on later, and waits for that. */
  async close(): Promise<void> {
    this.ending.abort();
    clearTimeout(this.timer);
    await this.runs.idle();
  }

  private schedule(ms: number): void {
    if (this.ending.signal.aborted) return;
    this.timer = setTimeout(() => {
      void this.run().finally(() =>
        this.schedule(
          this.failures > 0 ? backoffMs(this.failures, RETRY) : (this.options.intervalMs ?? INTERVAL_MS),
        ),
      );
    }, ms);
    this.timer.unref();
  }

  private async work(): Promise<void> {
    let trouble: string | undefined;
    const attempt = async (what: string, step: () => Promise<void>): Promise<void> => {
      if (this.ending.signal.aborted) return;
      try {
        await step();
      } catch (error) {
        if (this.ending.signal.aborted) return;
        const message = error instanceof TailraceError ? error.message : `${what} (${reasonOf(error)})`;
        if (this.trouble === undefined && trouble === undefined)
          this.options.log.warn({ err: error }, `${what}; it is tried again`);
        trouble ??= message;
      }
    };
    await attempt("groups can't be read", async () => {
      const groups = await this.options.groups();
      for (const group of groups) await attempt(`${group.name} can't be archived`, () => this.archive(group));
      for (const group of groups)
        await attempt(`nothing of ${group.name} can be removed`, () => this.remove(group));
      await attempt('nothing can be removed', () => this.removeOverall(groups));
    });
    if (this.trouble !== undefined && trouble === undefined)
      this.options.log.info({}, 'archiving works again');
    this.trouble = trouble;
    this.failures = trouble === undefined ? 0 : this.failures + 1;
  }

  private async archive(group: KeptGroup): Promise<void> {
    const { archiver, log } = this.options;
    if (!archiver) return;
    for (;;) {
      const file = await archiver.archiveNext(group, this.ending.signal);
      if (!file) return;
      this.archivedFiles++;
      this.archivedLines += file.lines;
      this.lastArchivedAt = new Date(this.now()).toISOString();
      log.debug({ group: group.id, file: file.name, lines: file.lines }, 'archived');
    }
  }

  private async remove({ streams, keep }: KeptGroup): Promise<void> {
    const { store, defaults } = this.options;
    const ids = streams.map(({ id }) => id);
    await this.count(
      await applyRetention(store, ids, effectivePolicy(keep, defaults), this.archivedUpTo, this.now()),
    );
  }

  private async removeOverall(groups: readonly KeptGroup[]): Promise<void> {
    const { store, totalBytes } = this.options;
    if (totalBytes === undefined) return;
    const ids = groups.flatMap(({ streams }) => streams.map(({ id }) => id));
    await this.count({ byAge: 0, byBytes: await shrink(store, ids, totalBytes, this.archivedUpTo) });
  }

  private readonly archivedUpTo = async (stream: AppId): Promise<number | undefined> =>
    await this.options.archiver?.cursor(stream);

  private async count({ byAge, byBytes }: RemovedLines): Promise<void> {
    if (byAge + byBytes === 0) return;
    const { records, log } = this.options;
    log.info({ byAge, byBytes }, 'removed lines that are past their retention');
    const before = (await records.get<RemovedRecord>(ARCHIVE_SCOPE, REMOVED_KEY))?.value ?? NOTHING_REMOVED;
    const value: RemovedRecord = {
      byAge: before.byAge + byAge,
      byBytes: before.byBytes + byBytes,
      lastAt: new Date(this.now()).toISOString(),
    };
    await records.transact(ARCHIVE_SCOPE, [{ key: REMOVED_KEY, value }], { quiet: true });
  }
}
