/**
 * The list of a stream's parts, beside them: what should be there, so that a file that somebody has removed or cut off is noticed, with what was in
 * it. One line each, added at the end: `+ NAME LINES FIRST_MS LAST_MS BYTES`, and `- NAME` of what was removed on purpose. It isn't synced: a part that
 * isn't on the list is put there when it is found.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../../../src/common/errors.ts';
import { replaceFileNow } from '../../../../src/common/files/replace-file.ts';

export const LIST_NAME = 'parts.list';
/** It is written anew when it has so many lines that say nothing any more. */
const STALE_LINES_MAX = 200;
const ADDED = /^\+ (\S+) (\d+) (-?[\d.]+) (-?[\d.]+) (\d+)$/;
const REMOVED = /^- (\S+)$/;

/** A part as it was written. */
export interface ListedPart {
  readonly name: string;
  readonly lines: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly bytes: number;
}

export class PartList {
  private readonly path: string;
  private readonly parts = new Map<string, ListedPart>();
  private staleLines = 0;

  /** @param exists is there a list in the folder? */
  constructor(folder: string, exists: boolean) {
    this.path = join(folder, LIST_NAME);
    if (exists) this.read();
  }

  get all(): readonly ListedPart[] {
    return [...this.parts.values()];
  }

  /** As it was when it was written; undefined when it isn't on the list. */
  get(name: string): ListedPart | undefined {
    return this.parts.get(name);
  }

  /** A part was written, or found. */
  add(part: ListedPart): void {
    if (this.parts.has(part.name)) this.staleLines++;
    this.parts.set(part.name, part);
    this.append(lineOf(part));
  }

  /** Notes that parts are removed on purpose. */
  remove(names: readonly string[]): void {
    const known = names.filter((name) => this.parts.delete(name));
    if (known.length === 0) return;
    this.staleLines += known.length * 2;
    if (this.staleLines > STALE_LINES_MAX) this.rewrite();
    else this.append(known.map((name) => `- ${name}\n`).join(''));
  }

  private read(): void {
    let text = '';
    try {
      text = readFileSync(this.path, 'latin1');
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
    for (const line of text.split('\n')) {
      const added = ADDED.exec(line);
      const removed = REMOVED.exec(line);
      if (added) {
        const [, name, lines, minMs, maxMs, bytes] = added;
        this.parts.set(name, {
          name,
          lines: Number(lines),
          minMs: Number(minMs),
          maxMs: Number(maxMs),
          bytes: Number(bytes),
        });
      } else if (removed && this.parts.delete(removed[1])) this.staleLines += 2;
    }
  }

  /** Parts are whole without their list: a full disk doesn't matter here. */
  private append(text: string): void {
    try {
      appendFileSync(this.path, text, { mode: 0o600 });
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }

  private rewrite(): void {
    try {
      replaceFileNow(this.path, this.all.map(lineOf).join(''), { sync: false });
      this.staleLines = 0;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }
}

function lineOf({ name, lines, minMs, maxMs, bytes }: ListedPart): string {
  return `+ ${name} ${lines} ${minMs} ${maxMs} ${bytes}\n`;
}
