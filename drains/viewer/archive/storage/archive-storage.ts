/** Where archives are: a folder, or a bucket. Keys are paths with slashes, below what the storage was opened with. */

import type { Readable } from 'node:stream';

export interface StoredFile {
  readonly key: string;
  readonly bytes: number;
  /** Another text when it is written again. */
  readonly version: string;
}

/** A file on this machine that is to be stored. */
export interface LocalFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, in hexadecimal. */
  readonly sha256: string;
}

export interface ArchiveStorage {
  /** For people, without secrets. */
  readonly description: string;
  /** All files whose keys begin with `prefix`. */
  list(prefix: string): Promise<readonly StoredFile[]>;
  /** Undefined when there is none. */
  find(key: string, signal?: AbortSignal): Promise<StoredFile | undefined>;
  /**
   * Stores a file, in the place of one of this name; resolves when it is durable, whole, and what was sent.
   * @throws TailraceError `unavailable` with a sentence that says what to do.
   */
  put(key: string, file: LocalFile, signal?: AbortSignal): Promise<void>;
  /** Stores a small text likewise. */
  putText(key: string, text: string | Uint8Array, signal?: AbortSignal): Promise<void>;
  /** The bytes of a file. @throws TailraceError `not_found`, `unavailable`. */
  read(key: string, signal?: AbortSignal): Promise<Readable>;
  /** Removes what was stored of a file of this name by somebody who was killed meanwhile, and isn't to be seen; as far as that can be done. */
  removeUnfinished(key: string, signal?: AbortSignal): Promise<void>;
}

/** A key that stays below the storage's place, whoever asks for it. */
export function isSafeKey(key: string): boolean {
  return (
    key.length <= 900 &&
    key.split('/').every((part) => part !== '' && part !== '.' && part !== '..') &&
    !/[\\\x00-\x1f\x7f]/.test(key)
  );
}
