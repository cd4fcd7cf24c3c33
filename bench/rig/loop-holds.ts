import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './processes.ts';

/** What is loaded into the server. */
export const LOOP_HOLD_HOOK = join(ROOT, 'dist', 'bench', 'rig', 'loop-hold-hook.js');

/** How long a server's event loop was held: the environment to start it with, and what was measured since. */
export class LoopHolds {
  private readonly file: string;
  private readAt = 0;

  /** @param file is made; what it holds is the measurement's. */
  constructor(file: string) {
    this.file = file;
    writeFileSync(file, '');
  }

  /** @param hook the compiled `loop-hold-hook.js`. */
  environment(hook: string): Record<string, string> {
    return { LOOP_HOLD_FILE: this.file, NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` };
  }

  /** The longest hold since the last call, in milliseconds of processor time; 0 when none was longer than two. */
  takeLongestMs(): number {
    const file = openSync(this.file, 'r');
    const bytes = Buffer.alloc(fstatSync(file).size - this.readAt);
    readSync(file, bytes, 0, bytes.length, this.readAt);
    closeSync(file);
    this.readAt += bytes.length;
    return bytes
      .toString('latin1')
      .split('\n')
      .reduce((longest, us) => Math.max(longest, Number(us) / 1_000), 0);
  }
}
