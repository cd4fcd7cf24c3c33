import { closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../../../../src/common/make-directory.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import { Imports } from './imports.ts';
import { Part, type ReportLoss } from './part.ts';
import {
  parsePartName,
  parseRemovedName,
  removedName,
  type SequenceRange,
  UNFINISHED_SUFFIX,
} from './part-names.ts';
import { syncFolder, type WrittenPart } from './part-writer.ts';

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

  /** Finds the parts; removes what wasn't finished, and parts that were made one of. */
  constructor(folder: string, stream: AppId, report: ReportLoss) {
    this.folder = folder;
    this.stream = stream;
    this.report = report;
    // It is made when there is something to be put into it: most of many streams are small.
    const names = existsSync(folder) ? readdirSync(folder) : [];
    this.imports = new Imports(folder, names);
    const parts: Part[] = [];
    for (const entry of names.length > 0 ? readdirSync(folder, { withFileTypes: true }) : []) {
      // What others have put there stays, and is nothing of this stream.
      if (!entry.isFile()) continue;
      const { name } = entry;
      if (name.endsWith(UNFINISHED_SUFFIX)) rmSync(join(folder, name), { force: true });
      const range = parsePartName(name);
      if (range) parts.push(this.part(join(folder, name), range));
      this.removedThrough = Math.max(this.removedThrough, parseRemovedName(name) ?? 0);
    }
    this.parts = withoutMerged(parts);
  }

  get all(): readonly Part[] {
    return this.parts;
  }

  /** Lines of the stream up to here are in parts, or were and are removed. */
  get packedThrough(): Sequence {
    return Math.max(this.removedThrough, this.parts.at(-1)?.last ?? 0);
  }

  /** Where the next part can be written until it is whole. */
  unfinishedPath(): string {
    makeDirectory(this.folder, 0o700);
    return join(this.folder, `${++this.unfinished}${UNFINISHED_SUFFIX}`);
  }

  add({ path, first, last }: WrittenPart): Part {
    const part = this.part(path, { first, last });
    this.parts = inOrder([...this.parts, part]);
    return part;
  }

  /** Puts a part in the place of those that it was made of. */
  replace(old: readonly Part[], written: WrittenPart): void {
    const part = this.part(written.path, written);
    this.parts = inOrder([...this.parts.filter((one) => !old.includes(one)), part]);
    for (const one of old) if (one.path !== part.path) one.remove();
  }

  remove(parts: readonly Part[]): void {
    if (parts.length === 0) return;
    const through = this.packedThrough;
    if (through > this.removedThrough) {
      closeSync(openSync(join(this.folder, removedName(through)), 'w', 0o600));
      syncFolder(this.folder);
      if (this.removedThrough > 0)
        rmSync(join(this.folder, removedName(this.removedThrough)), { force: true });
      this.removedThrough = through;
    }
    this.parts = this.parts.filter((one) => !parts.includes(one));
    for (const one of parts) one.remove();
  }

  private part(path: string, range: SequenceRange): Part {
    return new Part(this.stream, path, range, this.report);
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
