/** Notices when the data folder isn't the one any more that the store was opened in: what is written then, the next start won't find. */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../../common/errors.ts';

/** While nothing can be kept, whoever wants something kept looks no more often. */
const LOOK_INTERVAL_MS = 20;

/** A file or a folder, and which one it was. */
interface Identity {
  /** '' for the data folder itself. */
  readonly name: string;
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/**
 * The identity of the data folder and of what must be in it. It may be removed, moved, replaced, unmounted or mounted over while the
 * store is open, and whatever is open goes on working: only its path tells.
 */
export class FolderIdentity {
  private readonly folder: string;
  private readonly identities: readonly Identity[];
  /** Some file systems number an inode anew when nothing holds it. */
  private readonly pins: readonly number[];
  private readonly onChange: (trouble: string | undefined) => void;
  private lookedAtMs = performance.now();
  /** For all who have asked in this turn. */
  private nextLook: Promise<void> | undefined;
  /** Why nothing can be kept, in one sentence, as of the last look; undefined when all is in its place. */
  trouble: string | undefined;

  /**
   * @param names of what must stay in the folder
   * @param onChange called when something isn't in its place any more, and when all is again (undefined)
   */
  constructor(folder: string, names: readonly string[], onChange: (trouble: string | undefined) => void) {
    this.folder = folder;
    this.onChange = onChange;
    this.identities = ['', ...names].map((name) => {
      const path = join(folder, name);
      const { dev, ino } = statSync(path);
      return { name, path, dev, ino };
    });
    this.pins = this.identities.map(({ path }) => openSync(path, 'r'));
  }

  /** Takes a look now; returns {@link trouble}. */
  check(): string | undefined {
    const before = this.trouble;
    this.lookedAtMs = performance.now();
    this.trouble = this.findTrouble();
    // What is removed goes bit by bit: the first that is missing says enough.
    if ((before === undefined) !== (this.trouble === undefined)) this.onChange(this.trouble);
    return this.trouble;
  }

  /** The same, unless the last look was less than so long ago: thousands of streams ask one after the other. */
  checkWithin(ms: number): string | undefined {
    return performance.now() - this.lookedAtMs > ms ? this.check() : this.trouble;
  }

  /** For a hot path: believes the last look. @throws TailraceError `unavailable` when something wasn't in its place, and still isn't. */
  require(): void {
    if (this.trouble === undefined) return;
    if (performance.now() - this.lookedAtMs > LOOK_INTERVAL_MS) this.check();
    if (this.trouble !== undefined) throw new TailraceError('unavailable', this.trouble);
  }

  /** Takes a look now. @throws TailraceError `unavailable` when something isn't in its place. */
  requireNow(): void {
    this.check();
    this.require();
  }

  /**
   * The same, with one look for all who ask before the promises that are settled now have been told: as those whose records were in one commit.
   * Each look is behind all who have asked for it.
   */
  requireOnce(): Promise<void> {
    this.nextLook ??= new Promise((resolve, reject) => {
      process.nextTick(() => {
        this.nextLook = undefined;
        try {
          this.requireNow();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.nextLook;
  }

  close(): void {
    for (const fd of this.pins) closeSync(fd);
  }

  private findTrouble(): string | undefined {
    for (const { name, path, dev, ino } of this.identities) {
      const found = lookAt(path);
      if (typeof found === 'string') return this.describe(name, `can't be reached (${found})`);
      if (!found) return this.describe(name, 'is gone (removed, moved or unmounted)');
      if (found.ino !== ino || found.dev !== dev)
        return this.describe(name, 'was replaced by another one (or is hidden by a mount)');
    }
    try {
      accessSync(this.folder, constants.W_OK);
      return undefined;
    } catch (error) {
      return `The data folder ${this.folder} can't be written (${systemCode(error)}), and nothing is stored until it can be.`;
    }
  }

  private describe(name: string, what: string): string {
    const subject =
      name === '' ? `The data folder ${this.folder}` : `${name} in the data folder ${this.folder}`;
    return `${subject} ${what}, and nothing is stored until it is back in its place or tailrace is restarted.`;
  }
}

/** Its device and inode, undefined when there is nothing; the system's error code when nobody can say. */
function lookAt(path: string): { readonly dev: number; readonly ino: number } | string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return systemCode(error);
  }
}
