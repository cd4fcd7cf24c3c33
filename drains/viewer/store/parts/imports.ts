/**
 * Lines of the past get parts of their own, with sequences below those of the stream: the first import from -2^32 on, the second from -2^33 on …
 * Its parts have other names until all are written; the file that says that the import is done gives them their names, also after a crash.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileNow } from '../../../../src/common/files/replace-file.ts';
import { syncFolderNow } from '../../../../src/common/files/sync-folder.ts';
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import { UNFINISHED_SUFFIX } from './part-names.ts';

/** Sequences of one import. */
const IMPORT_SEQUENCES = 2 ** 32;
const DONE = /^import_(\d{1,7})_([0-9a-f]{32})\.done$/;
const WRITTEN_SUFFIX = '.imported';

/** An import that is done: its number, from 1, and how many lines it had. */
interface DoneImport {
  readonly number: number;
  readonly id: string;
  readonly lines: number;
}

/** The imports of a stream's folder. */
export class Imports {
  private readonly folder: string;
  private readonly done = new Map<string, DoneImport>();
  private newest = 0;

  /**
   * Gives parts of imports that are done their names, and removes those of others.
   * @param names of what is in the folder
   */
  constructor(folder: string, names: readonly string[]) {
    this.folder = folder;
    const prefixes: string[] = [];
    for (const name of names) {
      const match = DONE.exec(name);
      if (!match) continue;
      const number = Number(match[1]);
      this.done.set(match[2], { number, id: match[2], lines: readCount(join(folder, name)) });
      this.newest = Math.max(this.newest, number);
      prefixes.push(`${number}.`);
    }
    for (const name of names.filter((one) => one.endsWith(WRITTEN_SUFFIX)))
      if (prefixes.some((prefix) => name.startsWith(prefix))) this.giveName(name);
      else rmSync(join(folder, name), { force: true });
  }

  /** How many lines an import had; undefined when it isn't done. */
  lines(importId: string): number | undefined {
    return this.done.get(hashed(importId))?.lines;
  }

  /** The number of the next import. */
  next(): number {
    return ++this.newest;
  }

  /** What the names of an import's parts have around them until it is done. */
  waitingName(number: number): { readonly prefix: string; readonly suffix: string } {
    return { prefix: `${number}.`, suffix: WRITTEN_SUFFIX };
  }

  /** All parts of an import are written and synced: from now on they count. Returns where they are. */
  finish(number: number, importId: string, lines: number): readonly string[] {
    const id = hashed(importId);
    const path = join(this.folder, `import_${number}_${id}.done`);
    replaceFileNow(path, `${lines}\n`, { temporary: path + UNFINISHED_SUFFIX });
    this.done.set(id, { number, id, lines });
    const paths = readdirSync(this.folder)
      .filter((name) => name.endsWith(WRITTEN_SUFFIX) && name.startsWith(`${number}.`))
      .map((name) => this.giveName(name));
    syncFolderNow(this.folder);
    return paths;
  }

  /** Removes what was written of an import that failed. */
  abandon(number: number): void {
    for (const name of readdirSync(this.folder))
      if (name.endsWith(WRITTEN_SUFFIX) && name.startsWith(`${number}.`))
        rmSync(join(this.folder, name), { force: true });
  }

  private giveName(name: string): string {
    const partName = name.slice(name.indexOf('.') + 1, -WRITTEN_SUFFIX.length);
    const path = join(this.folder, partName);
    if (existsSync(path)) rmSync(join(this.folder, name));
    else renameSync(join(this.folder, name), path);
    return path;
  }
}

/** The first sequence of an import. */
export function firstOfImport(number: number): Sequence {
  return -number * IMPORT_SEQUENCES;
}

function hashed(importId: string): string {
  return createHash('sha256').update(importId).digest('hex').slice(0, 32);
}

function readCount(path: string): number {
  const count = Number.parseInt(readFileSync(path, 'latin1'), 10);
  return Number.isNaN(count) ? 0 : count;
}
