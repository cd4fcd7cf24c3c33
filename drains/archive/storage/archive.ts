/**
 * All drains' folders. Appends lines under a drain token and a frame id; when the promise resolves, they are in that drain's
 * file. Errors of the disk are thrown as `WriteError` and logged once, until a write succeeds again.
 */

import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import { replaceFile } from '../../../src/common/files/replace-file.ts';
import { syncFolder } from '../../../src/common/files/sync-folder.ts';
import { errorMessage } from '../../../src/common/text/error-message.ts';
import { Compressor, type Logger } from './compressor.ts';
import { DrainFolder, type DrainFolderSettings } from './drain-folder.ts';
import { FILE_MODE, FOLDER_MODE } from './durable-files.ts';

const ROTATION_CHECK_MS = 1000;
/** A folder whose last write failed so long ago, and to which nobody sends any more, is no problem of the archive's: senders try again every half a minute. */
const FAILING_MS = 120_000;
/** What is tried to be written in the archive's folder, to see whether it can be, and how long the outcome holds. */
const PROBE = Buffer.alloc(4_096);
const PROBE_MS = 2_000;

/** Lines couldn't be written; `cause` is the disk's error. Senders are told to try again. */
export class WriteError extends Error {}

export interface ArchiveSettings extends DrainFolderSettings {
  dir: string;
  keep: number;
}

/**
 * One of them is the only writer in the archive's folder. {@link Archive.start} comes before anything is appended, {@link Archive.stop} ends
 * it.
 */
export class Archive {
  private readonly settings: ArchiveSettings;
  private readonly logger: Logger;
  private readonly compressor: Compressor;
  /** By name; promises, since opening replays the folder's journal. */
  private readonly folders = new Map<string, Promise<DrainFolder>>();
  /** Names whose last write failed: why, and when, on the clock of `performance.now()`. */
  private readonly failingFolders = new Map<string, { reason: string; atMs: number }>();
  private probe: { readonly outcome: Promise<string | undefined>; readonly atMs: number } | undefined;
  private rotationTimer: NodeJS.Timeout | undefined;

  constructor(settings: ArchiveSettings, logger: Logger) {
    this.settings = settings;
    this.logger = logger;
    this.compressor = new Compressor(settings.keep, logger);
  }

  /** Recovers every folder after a crash. */
  async start(): Promise<void> {
    for (const entry of await readdir(this.settings.dir, { withFileTypes: true })) {
      if (!entry.isDirectory() || folderName(entry.name) !== entry.name) continue;
      await this.withFolder(entry.name, async (folder) => this.compressor.schedule(folder.path)).catch(
        () => undefined,
      );
    }
    this.rotationTimer = setInterval(() => this.rotateDue(), ROTATION_CHECK_MS);
  }

  /** Resolves when the lines are written, now or before under the same frame id. */
  async append(token: string | undefined, frameId: string | undefined, text: Buffer): Promise<void> {
    const name = folderName(token);
    await this.withFolder(name, (folder) => folder.append(frameId, text));
    if (this.failingFolders.delete(name)) this.logger.info(`writing to ${name} again`);
  }

  /** Why lines can't be written now; undefined when they can. */
  async problem(): Promise<string | undefined> {
    const now = performance.now();
    for (const [name, { reason, atMs }] of this.failingFolders)
      if (now - atMs < FAILING_MS) return `${name}: ${reason}`;
    if (this.probe === undefined || now - this.probe.atMs > PROBE_MS) {
      this.probe = { outcome: this.tryToWrite(), atMs: now };
    }
    return this.probe.outcome;
  }

  private async tryToWrite(): Promise<string | undefined> {
    const path = join(this.settings.dir, '.health');
    try {
      await replaceFile(path, PROBE, { mode: FILE_MODE, sync: this.settings.fsync && 'file' });
      await rm(path);
      return undefined;
    } catch (error) {
      return errorMessage(error);
    }
  }

  /** Waits until what was appended is written; a compression is given up, and made at the next start. The caller takes no more requests. */
  async stop(): Promise<void> {
    clearInterval(this.rotationTimer);
    for (const folder of this.folders.values()) {
      await folder.then((each) => each.whenIdle()).catch(() => undefined);
    }
    await this.compressor.stop();
  }

  private rotateDue(): void {
    for (const name of this.folders.keys()) {
      // A failure is logged by then, and the next sweep retries.
      this.withFolder(name, (folder) => folder.rotateIfDue(Date.now())).catch(() => undefined);
    }
  }

  private async withFolder(name: string, work: (folder: DrainFolder) => Promise<void>): Promise<void> {
    try {
      await work(await this.openOnce(name));
    } catch (error) {
      const reason = errorMessage(error);
      const isKnown = this.failingFolders.has(name);
      this.failingFolders.set(name, { reason, atMs: performance.now() });
      if (!isKnown) {
        this.logger.warn(`cannot write to ${name}: ${reason}; senders are told to retry`);
      }
      throw new WriteError(reason, { cause: error });
    }
  }

  private openOnce(name: string): Promise<DrainFolder> {
    const known = this.folders.get(name);
    if (known !== undefined) return known;
    const opened = this.open(name);
    this.folders.set(name, opened);
    opened.catch(() => this.folders.delete(name));
    return opened;
  }

  private async open(name: string): Promise<DrainFolder> {
    const path = join(this.settings.dir, name);
    if (makeDirectory(path, FOLDER_MODE) && this.settings.fsync) await syncFolder(this.settings.dir);
    const folder = new DrainFolder(path, this.settings, (rotated) => this.compressor.schedule(rotated));
    await folder.open();
    return folder;
  }
}

/** A safe folder name for any header. A changed one gets a digest, so that two tokens never share a folder. */
function folderName(token: string | undefined): string {
  if (token === undefined || token === '') return 'unknown';
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/.test(token)) return token;
  const safe = token.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 80);
  return `x${safe}-${createHash('sha256').update(token).digest('hex').slice(0, 16)}`;
}
