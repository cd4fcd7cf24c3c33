/** Files that are sent in pieces, to be imported: a request is bounded in time and size, a file isn't. */

import { createHash } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../../src/common/errors.ts';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';

const UPLOAD_NAME = /^[\w-]{8,64}$/;
const SUFFIX = '.upload';
/** Whoever began it has given up. */
const AGE_MAX_MS = 86_400_000;

export class Uploads {
  private readonly folder: string;
  private readonly busy = new Set<string>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Removes what nobody goes on with. */
  async sweep(nowMs = Date.now()): Promise<void> {
    makeDirectory(this.folder, 0o750);
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name);
      const isOld = name.endsWith(SUFFIX) && nowMs - (await stat(path)).mtimeMs > AGE_MAX_MS;
      if (isOld) await rm(path, { force: true });
    }
  }

  /**
   * Adds a piece.
   * @param owner who sends it: the same name of another one is another file
   * @param offset where the piece begins; a piece that is there already is taken once
   * @returns how much there is then
   * @throws TailraceError `conflict` when pieces are missing before it
   */
  async add(owner: string, name: string, offset: number, piece: Buffer): Promise<number> {
    const path = this.path(owner, name);
    if (this.busy.has(path))
      throw new TailraceError(
        'conflict',
        'A piece of this file is on its way already: send one after the other.',
      );
    this.busy.add(path);
    try {
      makeDirectory(this.folder, 0o750);
      const handle = await open(path, 'a+', 0o640);
      try {
        const { size } = await handle.stat();
        if (offset > size)
          throw new TailraceError(
            'conflict',
            `The file has ${size} bytes so far: go on with offset=${size}.`,
          );
        const rest = piece.subarray(size - offset);
        if (rest.length > 0) await handle.appendFile(rest);
        return size + rest.length;
      } finally {
        await handle.close();
      }
    } finally {
      this.busy.delete(path);
    }
  }

  /** Where a file is. @throws TailraceError `not_found` */
  async find(owner: string, name: string): Promise<string> {
    const path = this.path(owner, name);
    if (await stat(path).catch(() => undefined)) return path;
    throw new TailraceError('not_found', 'There is no such upload: it was imported, or is older than a day.');
  }

  /** It is no error when there is none. */
  async remove(owner: string, name: string): Promise<void> {
    await rm(this.path(owner, name), { force: true });
  }

  private path(owner: string, name: string): string {
    if (!UPLOAD_NAME.test(name))
      throw new TailraceError(
        'invalid_params',
        'The name of an upload has 8 to 64 letters, digits, dashes or underscores.',
      );
    const folder = createHash('sha256').update(owner).digest('hex').slice(0, 16);
    return join(this.folder, `${folder}-${name}${SUFFIX}`);
  }
}
