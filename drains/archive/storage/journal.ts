/**
 * `frames.journal`: what is *committed* in a drain's `current.log`. One record per request, appended after its lines
 * are on disk and before it is answered:
 *
 *     open 2026-11-21T10:00:00.000Z          current.log began then, with nothing in it
 *     frame 6f1e…9a 1234                     the frame with this id is in the log, which is now 1234 bytes long
 *     frame - 1300                           the same for a request without an id
 *
 * Two promises rest on it. After a crash, bytes in the log behind the last record were never acknowledged and are cut
 * off. And a retried frame is recognized across a restart, because id and length are committed by the same record.
 */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readIfExists } from '../../../src/common/files/read-if-exists.ts';
import { replaceFile } from '../../../src/common/files/replace-file.ts';
import { syncFolder } from '../../../src/common/files/sync-folder.ts';
import { FILE_MODE, sizeOf, truncateFile, writeFully } from './durable-files.ts';
import { LruSet } from './lru-set.ts';

/** A sender has one frame in flight, or a few; this is hours of requests. */
const RECENT_FRAME_IDS_MAX = 4096;
const RECORDS_MAX = 3 * RECENT_FRAME_IDS_MAX;

export interface FrameRecord {
  frameId: string | undefined;
  /** Length of the log with this frame in it. */
  length: number;
}

export class Journal {
  readonly recentFrameIds = new LruSet(RECENT_FRAME_IDS_MAX);
  /** Committed bytes of the log; `undefined` without a record. */
  committedLength: number | undefined;
  openedMs = Date.now();
  private readonly path: string;
  private readonly fsync: boolean;
  /** Bytes of the journal itself, up to the end of its last whole record. */
  private size = 0;
  private recordCount = 0;
  /** There may be bytes behind `size`, left by a crash or a failed write. */
  private hasTornRecord = false;

  constructor(path: string, fsync: boolean) {
    this.path = path;
    this.fsync = fsync;
  }

  /**
   * Reads what was committed; no journal is an empty one. Half a record at its end is ignored, until {@link truncateTornRecord}.
   * @throws the file system's error
   */
  async load(): Promise<void> {
    const text = (await readIfExists(this.path))?.toString('latin1') ?? '';
    this.size = text.lastIndexOf('\n') + 1;
    this.hasTornRecord = this.size < text.length;
    for (const record of text.slice(0, this.size).split('\n')) this.replay(record);
  }

  private replay(record: string): void {
    this.recordCount++;
    const [, opened] = /^open (\S+)$/.exec(record) ?? [];
    if (opened !== undefined) {
      this.committedLength = 0;
      this.openedMs = Date.parse(opened) || this.openedMs;
    }
    const [, frameId, length] = /^frame (\S+) (\d{1,15})$/.exec(record) ?? [];
    if (frameId === undefined) return;
    this.committedLength = Number(length);
    if (frameId !== '-') this.recentFrameIds.add(frameId);
  }

  /** Truncates half a record. To be done before the log is truncated, whose bytes such a record may have committed. */
  async truncateTornRecord(): Promise<void> {
    if (!this.hasTornRecord) return;
    const size = await sizeOf(this.path);
    if (size !== undefined && size > this.size) await truncateFile(this.path, this.size, this.fsync);
    this.hasTornRecord = false;
  }

  /** Begins a new, empty log; recent frame ids are kept. */
  async startLog(nowMs: number): Promise<void> {
    await this.rewrite(nowMs, 0);
  }

  /** Commits frames, all with one write. @throws the file system's error; then none of them is committed */
  async append(records: FrameRecord[]): Promise<void> {
    const text = records.map(({ frameId, length }) => `frame ${frameId ?? '-'} ${length}\n`).join('');
    const bytes = Buffer.from(text, 'latin1');
    this.hasTornRecord = true;
    const handle = await open(this.path, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    try {
      await writeFully(handle, bytes, this.size);
      if (this.fsync) await handle.datasync();
    } finally {
      await handle.close();
    }
    this.hasTornRecord = false;
    this.size += bytes.length;
    this.recordCount += records.length;
    for (const { frameId, length } of records) {
      this.committedLength = length;
      if (frameId !== undefined) this.recentFrameIds.add(frameId);
    }
  }

  /** Compacts superseded records, so that the journal stays small however large the log grows. */
  async compactIfLong(): Promise<void> {
    if (this.recordCount > RECORDS_MAX) await this.rewrite(this.openedMs, this.committedLength ?? 0);
  }

  private async rewrite(openedMs: number, length: number): Promise<void> {
    const frames = [...this.recentFrameIds, '-'].map((frameId) => `frame ${frameId} ${length}\n`);
    const bytes = Buffer.from(`open ${new Date(openedMs).toISOString()}\n${frames.join('')}`, 'latin1');
    await replaceFile(this.path, bytes, { mode: FILE_MODE, sync: this.fsync && 'file' });
    this.size = bytes.length;
    this.recordCount = frames.length + 1;
    this.hasTornRecord = false;
    this.openedMs = openedMs;
    this.committedLength = length;
    // Last: it is the new one that is there, also when this fails.
    if (this.fsync) await syncFolder(dirname(this.path));
  }
}
