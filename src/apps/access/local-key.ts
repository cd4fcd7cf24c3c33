/** The API key of clients on this machine: in the data folder, readable only by its owner. */

import { randomUUID } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../../common/files/make-directory.ts';
import { readIfExistsNow } from '../../common/files/read-if-exists.ts';
import { replaceFileNow } from '../../common/files/replace-file.ts';
import type { Log } from '../../common/log.ts';
import { type ApiKeyRecord, type ApiKeys, generateApiKey, isLocal } from './api-keys.ts';
import { GLOBAL_SCOPES } from './key-scopes.ts';

/** In a store that many machines share, the key of one that is gone for so long is useless. */
const LEASE_MS = 7 * 86_400_000;
const RENEW_INTERVAL_MS = 3_600_000;
const KEY_FILE = 'key';
/** A file that was cut short must not become a key that can be guessed. */
const KEY_PATTERN = /^[\x21-\x7e]{16,}$/;
const ID_FILE = 'folder-id';

export interface LocalKeyOptions {
  readonly folder: string;
  readonly apiKeys: ApiKeys;
  /** Other machines have their keys in the same store. */
  readonly isShared: boolean;
  readonly log: Log;
}

export class LocalKey {
  private readonly options: LocalKeyOptions;
  private readonly folderId: string;
  private current: string;
  private timer: NodeJS.Timeout | undefined;

  private constructor(options: LocalKeyOptions, folderId: string, key: string) {
    this.options = options;
    this.folderId = folderId;
    this.current = key;
  }

  /**
   * Reads the key of a data folder. One that was revoked, or removed from the folder, is replaced by another, and earlier ones of
   * this folder become useless.
   */
  static async open(options: LocalKeyOptions): Promise<LocalKey> {
    const { folder, apiKeys, log } = options;
    // It is there already, unless it couldn't be made: then this says why.
    makeDirectory(folder, 0o700);
    const folderId = readText(join(folder, ID_FILE)) ?? writePrivateFile(join(folder, ID_FILE), randomUUID());
    const written = readText(join(folder, KEY_FILE));
    const found = written !== undefined && KEY_PATTERN.test(written) ? written : undefined;
    if (written !== found)
      log.warn({ folder }, 'the file with the key of this machine is damaged: it gets another one');
    const isRevoked = found !== undefined && (await apiKeys.wasRevoked(found));
    if (isRevoked) log.warn({ folder }, 'the key of this machine was revoked: it has another one now');
    const key = found === undefined || isRevoked ? generateApiKey() : found;
    if (key !== found) writePrivateFile(join(folder, KEY_FILE), key);
    else chmodSync(join(folder, KEY_FILE), 0o600);
    const local = new LocalKey(options, folderId, key);
    await local.store(isRevoked ? found : undefined);
    local.timer = setInterval(() => void local.renew(), RENEW_INTERVAL_MS).unref();
    return local;
  }

  /** The key as it is now. */
  get key(): string {
    return this.current;
  }

  /** Is this the record of this folder's key? */
  owns({ local }: ApiKeyRecord): boolean {
    return local === this.folderId;
  }

  /** Replaces the key, in the folder too; returns the new one. The old one is useless from now on. */
  async rotate(): Promise<string> {
    const { folder } = this.options;
    const old = this.current;
    const key = generateApiKey();
    writePrivateFile(join(folder, KEY_FILE), key);
    this.current = key;
    try {
      await this.store();
    } catch (error) {
      this.current = old;
      writePrivateFile(join(folder, KEY_FILE), old);
      throw error;
    }
    return key;
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Writes the key's record, and removes those of the folder's earlier keys. */
  private async store(forgotten?: string): Promise<void> {
    const { apiKeys, isShared } = this.options;
    const all = await apiKeys.listWithHashes();
    const currentHash = (await apiKeys.grantOf(this.current))?.hash;
    const existing = all.find(({ hash }) => hash === currentHash)?.record;
    // Somebody put a key of their own into the folder.
    if (existing && !isLocal(existing)) return;
    const own = all.filter(({ record }) => isLocal(record) && (!isShared || record.local === this.folderId));
    const now = Date.now();
    const record: ApiKeyRecord = {
      id: existing?.id ?? own.find(({ record }) => record.local === this.folderId)?.record.id ?? randomUUID(),
      scopes: GLOBAL_SCOPES,
      createdAt: existing?.createdAt ?? new Date(now).toISOString(),
      local: this.folderId,
      ...(isShared ? { expiresAt: new Date(now + LEASE_MS).toISOString() } : {}),
    };
    await apiKeys.setLocal(
      this.current,
      record,
      own.map(({ hash }) => hash),
      forgotten,
    );
  }

  /** Writes the key's record again: what isn't renewed becomes useless, and the store may have been emptied. */
  async renew(): Promise<void> {
    const { apiKeys, isShared, log } = this.options;
    if (!isShared) return;
    try {
      // Revoked meanwhile: it stays so.
      if (!(await apiKeys.wasRevoked(this.current))) await this.store();
    } catch (error) {
      log.debug({ err: error }, 'the key of this machine could not be renewed');
    }
  }
}

function readText(file: string): string | undefined {
  return readIfExistsNow(file)?.toString().trim() || undefined;
}

/** Writes a file that only its owner may read, at once or not at all, whenever the power is cut; returns its text. */
function writePrivateFile(file: string, text: string): string {
  replaceFileNow(file, `${text}\n`);
  return text;
}
