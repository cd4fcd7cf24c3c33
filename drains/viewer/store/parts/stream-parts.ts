import { closeSync, type Dirent, openSync, readdirSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '../../../../src/common/errors.ts';
import { makeDirectory } from '../../../../src/common/files/make-directory.ts';
import { syncFolderNow } from '../../../../src/common/files/sync-folder.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import { Imports } from './imports.ts';
import { Part, type ReportLoss, rangeOf } from './part.ts';
import { LIST_NAME, type ListedPart, PartList } from './part-list.ts';
import {
  missingRanges,
  parsePartName,
  parseRemovedName,
  removedName,
  type SequenceRange,
  UNFINISHED_SUFFIX,
} from './part-names.ts';
import type { WrittenPart } from './part-writer.ts';

/** A part that should be there. */
export interface MissingPart extends ListedPart {
  readonly range: SequenceRange;
  readonly path: string;
}

/** The parts of one stream: what is in its folder. */
export class StreamParts {
  readonly stream: AppId;
  readonly folder: string;
  private readonly report: ReportLoss;
  /** In the order of their sequences. */
  private parts: readonly Part[] = [];
  private removedThrough: Sequence = 0;
  private unfinished = 0;
  readonly imports: Imports;
  private readonly list: PartList;

  /**
   * Finds the parts; removes what wasn't finished, and parts that were made one of.
   * @param exists is there a folder?
   */
  constructor(folder: string, stream: AppId, report: ReportLoss, exists = true) {
    this.folder = folder;
    this.stream = stream;
    this.report = report;
    // It is made when there is something to be put into it: most of many streams are small.
    const names = exists ? entriesOf(folder).map(({ name }) => name) : [];
    this.imports = new Imports(folder, names);
    this.list = new PartList(folder, names.includes(LIST_NAME));
    const parts: Part[] = [];
    // Imports have given files their names.
    for (const entry of names.length > 0 ? entriesOf(folder) : []) {
      // What others have put there stays, and is nothing of this stream.
      if (!entry.isFile()) continue;
      const { name } = entry;
      if (name.endsWith(UNFINISHED_SUFFIX)) rmSync(join(folder, name), { force: true });
      const range = parsePartName(name);
      if (range) parts.push(this.part(join(folder, name), range));
      this.removedThrough = Math.max(this.removedThrough, parseRemovedName(name) ?? 0);
    }
    this.parts = withoutMerged(parts);
    const merged = parts.filter((part) => !this.parts.includes(part));
    this.list.remove(merged.map(nameOf));
  }

  /** Parts of which the list says that they should be there, and that aren't. */
  get missing(): readonly MissingPart[] {
    const known = new Set(this.parts.map(nameOf));
    return this.list.all.flatMap((listed) => {
      const range = known.has(listed.name) ? undefined : parsePartName(listed.name);
      // One that was made of them is there.
      if (!range || this.parts.some(({ first, last }) => first <= range.first && range.last <= last))
        return [];
      return [{ ...listed, range, path: join(this.folder, listed.name) }];
    });
  }

  /** Looks at the files: parts that are shorter than they were are read as what is left of them. Parts that are gone are returned. */
  async check(): Promise<readonly MissingPart[]> {
    const gone: MissingPart[] = [];
    for (const part of this.parts) {
      const listed = this.list.get(nameOf(part));
      const size = await stat(part.path).then(
        (found) => found.size,
        (error: unknown) => (systemCode(error) === 'ENOENT' ? -1 : undefined),
      );
      // It was removed, or put together with others, meanwhile.
      if (!this.parts.includes(part)) continue;
      if (size === -1 && listed) gone.push({ ...listed, range: part, path: part.path });
      else if (size !== undefined && size !== listed?.bytes) {
        part.reload();
        if (!listed && !part.isDamaged) this.list.add(listedOf(part));
      }
    }
    return gone;
  }

  /** Forgets parts that are missing, and would have been removed by now. */
  forgetMissing(isOver: (part: MissingPart) => boolean): void {
    this.list.remove(this.missing.filter(isOver).map(({ name }) => name));
  }

  /** By their sequences: an array that is replaced, not changed. */
  get all(): readonly Part[] {
    return this.parts;
  }

  /** Lines of the stream up to here are in parts, or were and are removed. */
  get packedThrough(): Sequence {
    return Math.max(this.removedThrough, this.parts.at(-1)?.last ?? 0);
  }

  /** Lines of a range that no part has, or had before it was removed. What is missing in a part that isn't whole was reported with it. */
  unpacked({ first, last }: SequenceRange): readonly SequenceRange[] {
    const packed = this.parts.flatMap((part) =>
      part.isDamaged ? [part] : part.contents.blocks.map(rangeOf),
    );
    return missingRanges({ first: Math.max(first, this.removedThrough + 1), last }, packed);
  }

  /** Where the next part can be written until it is whole. */
  unfinishedPath(): string {
    makeDirectory(this.folder, 0o700);
    return join(this.folder, `${++this.unfinished}${UNFINISHED_SUFFIX}`);
  }

  /** A part is whole and synced under its name: from now on it is searched. */
  add({ path, first, last }: WrittenPart): Part {
    const part = this.part(path, { first, last });
    this.parts = inOrder([...this.parts, part]);
    this.list.add(listedOf(part));
    return part;
  }

  /** Puts a part in the place of those that it was made of. */
  replace(old: readonly Part[], written: WrittenPart): void {
    const part = this.part(written.path, written);
    this.parts = inOrder([...this.parts.filter((one) => !old.includes(one)), part]);
    this.list.add(listedOf(part));
    this.list.remove(old.filter((one) => one.path !== part.path).map(nameOf));
    for (const one of old) if (one.path !== part.path) one.remove();
  }

  /**
   * Removes parts for good, each file when nobody reads it any more. First it is noted up to where lines are removed, so that they aren't packed
   * again.
   */
  remove(parts: readonly Part[]): void {
    if (parts.length === 0) return;
    const through = this.packedThrough;
    if (through > this.removedThrough) {
      closeSync(openSync(join(this.folder, removedName(through)), 'w', 0o600));
      syncFolderNow(this.folder);
      if (this.removedThrough > 0)
        rmSync(join(this.folder, removedName(this.removedThrough)), { force: true });
      this.removedThrough = through;
    }
    this.parts = this.parts.filter((one) => !parts.includes(one));
    this.list.remove(parts.map(nameOf));
    for (const one of parts) one.remove();
  }

  private part(path: string, range: SequenceRange): Part {
    return new Part(this.stream, path, range, this.report);
  }
}

function nameOf({ path }: Part): string {
  return basename(path);
}

function listedOf(part: Part): ListedPart {
  const { lines, minMs, maxMs, diskBytes } = part.contents;
  return { name: nameOf(part), lines, minMs, maxMs, bytes: diskBytes };
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function inOrder(parts: readonly Part[]): Part[] {
  return [...parts].sort((a, b) => a.first - b.first || b.last - a.last);
}

/** Without parts whose lines are in a larger one: it was made of them when the process ended. */
function withoutMerged(parts: readonly Part[]): Part[] {
  const kept: Part[] = [];
  for (const part of inOrder(parts)) {
    const around = kept.at(-1);
    if (around && part.last <= around.last && !around.isDamaged) part.remove();
    else kept.push(part);
  }
  return kept;
}
