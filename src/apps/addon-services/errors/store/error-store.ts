/** Keeps the state in LMDB: an event and what it changes in its group are one transaction, on disk before anybody is told so. */

import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { TailraceError } from '../../../../common/errors.ts';
import { readIfExistsNow } from '../../../../common/files/read-if-exists.ts';
import type { JsonObject } from '../../../../common/json-object.ts';
import { LmdbFile, type LmdbTable } from '../../../../logs/store/embedded/records/lmdb-file.ts';
import { readLmdb, readLmdbBootId } from '../../../../logs/store/embedded/records/lmdb-pages.ts';
import { DiskSpaceGuard } from '../../../../logs/store/embedded/records/lmdb-safety.ts';
import { sealValue, unsealValue } from '../../../../logs/store/embedded/records/sealed-value.ts';
import type { ErrorGroup, GroupStatus } from './error-group.ts';
import {
  type AddedEvent,
  type ErrorCounters,
  ErrorState,
  type IncomingEvent,
  KEEP_LIMITS,
  type KeepLimits,
  NO_ERRORS,
} from './error-state.ts';

export const ERRORS_FILE = 'errors.mdb';
const GROUPS = 'groups';
const EVENTS = 'events';
const COUNTERS = 'counters';
/** Of one commit. */
const BATCH_MAX = 500;
/** Of events that wait for a commit. */
const WAITING_BYTES_MAX = 32 * 1_048_576;
/** After a commit that failed, no other is tried for so long: LMDB fares badly when many fail in a row. */
const PAUSE_AFTER_FAILURE_MS = 1_000;
/** Fast: events are gone through in the hundreds at times. */
const PACK = { level: 3 };
/** An event is cut to less before it is packed. */
const UNPACKED_MAX = 16 * 1_048_576;

const pack = promisify(deflate) as (bytes: Buffer, options: object) => Promise<Buffer>;
const unpack = promisify(inflate) as (bytes: Uint8Array, options: object) => Promise<Buffer>;

/** An event as it is stored: cleaned, with what the service knows of it. */
export interface StoredEvent {
  readonly receivedAt: number;
  /** Values that were cut short or left out. */
  readonly cut: number;
  readonly event: JsonObject;
}

interface WaitingChange {
  readonly bytes: number;
  readonly run: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class ErrorStore {
  private readonly limits: KeepLimits;
  private readonly file: LmdbFile;
  private readonly groupRecords: LmdbTable<Buffer, string>;
  private readonly eventRecords: LmdbTable<Buffer, number>;
  private readonly notes: LmdbTable<Buffer, string>;
  private readonly diskSpace: DiskSpaceGuard;
  private state: ErrorState;
  /** Memory has what the disk hasn't. */
  private isStale = false;
  private waiting: WaitingChange[] = [];
  private waitingBytes = 0;
  private working: Promise<void> | undefined;
  /** The event that came last is in the queue. */
  private queued: Promise<unknown> = Promise.resolve();
  /** Groups whose records are damaged: they are left out. */
  damagedGroups = 0;
  private lastFailure: { readonly error: TailraceError; readonly atMs: number } | undefined;

  /**
   * Opens the store in a folder. A damaged file is set aside, and `onDamage` told its new name.
   * @throws Error when the folder can't be used
   */
  constructor(
    folder: string,
    onDamage: (what: string, kept: string) => void,
    limits: KeepLimits = KEEP_LIMITS,
  ) {
    this.limits = limits;
    const file = join(folder, ERRORS_FILE);
    setAsideIfDamaged(file, onDamage);
    this.file = new LmdbFile({ path: file, maxDbs: 4, encoding: 'binary' });
    this.groupRecords = this.file.table((root) => root.openDB({ name: GROUPS, encoding: 'binary' }));
    this.eventRecords = this.file.table((root) => root.openDB({ name: EVENTS, encoding: 'binary' }));
    this.notes = this.file.table((root) => root.openDB({ name: COUNTERS, encoding: 'binary' }));
    this.diskSpace = new DiskSpaceGuard(folder);
    this.state = this.load();
    this.removeStrays();
  }

  /** By id; those that were seen last come last. It changes as events come. */
  get groups(): ReadonlyMap<string, ErrorGroup> {
    return this.state.groups;
  }

  get counters(): ErrorCounters {
    return this.state.counters;
  }

  get eventCount(): number {
    return this.state.eventCount;
  }

  /** Bytes of the events that are kept, as they are stored. */
  get keptBytes(): number {
    return this.state.keptBytes;
  }

  /** The number of the event with this id; undefined when it isn't kept. */
  numberOf(eventId: string): number | undefined {
    return this.state.numberOf(eventId);
  }

  /** See {@link ErrorState.groupOfEvent}. */
  groupOfEvent(number: number): string | undefined {
    return this.state.groupOfEvent(number);
  }

  /** A kept event; undefined when it isn't kept any more, or is damaged. */
  async event(number: number): Promise<StoredEvent | undefined> {
    const stored = this.eventRecords.get(number);
    if (!stored) return undefined;
    try {
      return JSON.parse((await unpack(stored, { maxOutputLength: UNPACKED_MAX })).toString()) as StoredEvent;
    } catch {
      return undefined;
    }
  }

  /**
   * Adds an event; resolves when it is on disk.
   * @throws TailraceError `unavailable` when too many wait, `store_full` without space
   */
  async add(incoming: Omit<IncomingEvent, 'packed'>, stored: StoredEvent): Promise<AddedEvent> {
    const packing = pack(Buffer.from(JSON.stringify(stored)), PACK);
    // They are numbered as they came, whichever of them is packed first.
    const queued = Promise.allSettled([packing, this.queued]).then(async () => {
      const packed = await packing;
      return { added: this.change(packed.length, () => this.state.add({ ...incoming, packed })) };
    });
    this.queued = queued.then(ignore, ignore);
    return (await queued).added;
  }

  /** @returns undefined when there is no such group (any more) */
  setStatus(id: string, status: GroupStatus, now: number): Promise<ErrorGroup | undefined> {
    return this.change(0, () => this.state.setStatus(id, status, now));
  }

  /** Removes a group with its events. @returns undefined when there is no such group (any more) */
  remove(id: string): Promise<ErrorGroup | undefined> {
    return this.change(0, () => this.state.remove(id));
  }

  /** Finishes what waits. */
  async close(): Promise<void> {
    await this.working;
    await this.file.close();
  }

  private change<T>(bytes: number, run: () => T): Promise<T> {
    if (this.waitingBytes > WAITING_BYTES_MAX)
      return Promise.reject(
        new TailraceError('unavailable', 'Too many events come at once: try again in a moment.'),
      );
    this.waitingBytes += bytes;
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ bytes, run, resolve: resolve as (result: unknown) => void, reject });
      this.working ??= this.work();
    });
  }

  /** What comes while a commit is under way shares the next one. */
  private async work(): Promise<void> {
    // Whoever comes in this turn of the event loop comes along.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_MAX);
      this.waiting = this.waiting.slice(BATCH_MAX);
      const bytes = batch.reduce((sum, one) => sum + one.bytes, 0);
      try {
        // Without space an error can still be removed.
        if (bytes > 0) this.requireUsable(bytes);
        const results = await this.run(batch);
        for (const [i, { resolve }] of batch.entries()) resolve(results[i]);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      } finally {
        this.waitingBytes -= bytes;
      }
    }
    // At once: whoever comes next begins anew.
    this.working = undefined;
  }

  private async run(batch: readonly WaitingChange[]): Promise<unknown[]> {
    try {
      if (this.isStale) await this.loadAnew();
      const results = batch.map(({ run }) => run());
      await this.commit();
      return results;
    } catch (error) {
      this.isStale = true;
      await this.loadAnew().catch(ignore); // else before the next change
      const failure = await this.diskSpace.noteFailure(error);
      this.lastFailure = { error: failure, atMs: performance.now() };
      throw failure;
    }
  }

  private async loadAnew(): Promise<void> {
    await this.file.settled();
    this.state = this.load();
    this.isStale = false;
  }

  private requireUsable(bytes: number): void {
    this.diskSpace.requireSpace(bytes);
    const failure = this.lastFailure;
    if (failure && performance.now() - failure.atMs < PAUSE_AFTER_FAILURE_MS) throw failure.error;
  }

  private async commit(): Promise<void> {
    const { groups, events } = this.state.takeChanges();
    if (groups.size === 0) return;
    await this.file.write(() =>
      this.file.root.transaction(() => {
        for (const id of groups) {
          const group = this.state.groups.get(id);
          if (group) this.groupRecords.db.put(id, sealValue([GROUPS, id], group));
          else this.groupRecords.db.remove(id);
        }
        for (const [number, packed] of events)
          if (packed) this.eventRecords.db.put(number, Buffer.from(packed));
          else this.eventRecords.db.remove(number);
        this.notes.db.put(COUNTERS, sealValue([COUNTERS], this.state.counters));
      }),
    );
    await this.file.flushed();
  }

  /** Events that no group knows, as those of a damaged one: nothing else would ever remove them. */
  private removeStrays(): void {
    const strays: number[] = [];
    for (const number of this.eventRecords.keys())
      if (this.state.groupOfEvent(number) === undefined) strays.push(number);
    if (strays.length > 0)
      this.file.root.transactionSync(() => {
        for (const number of strays) this.eventRecords.db.removeSync(number);
      });
  }

  private load(): ErrorState {
    const groups: ErrorGroup[] = [];
    this.damagedGroups = 0;
    for (const { key, value } of this.groupRecords.entries({})) {
      const group = unsealValue<ErrorGroup>([GROUPS, key], value)?.value;
      if (group) groups.push(group);
      else this.damagedGroups++;
    }
    const stored = this.notes.get(COUNTERS);
    const counters = stored && unsealValue<ErrorCounters>([COUNTERS], stored)?.value;
    return new ErrorState(groups, counters ?? NO_ERRORS, this.limits);
  }
}

function ignore(): void {}

/** LMDB ends the process when it meets a damaged file. */
function setAsideIfDamaged(file: string, onDamage: (what: string, kept: string) => void): void {
  const content = readIfExistsNow(file);
  if (!content || content.length === 0) return;
  const { damage } = readLmdb(content, readLmdbBootId());
  if (damage === undefined) return;
  const kept = `${file}.damaged`;
  renameSync(file, kept);
  rmSync(`${file}-lock`, { force: true });
  onDamage(damage, kept);
}
