/** With TEST_CPU=1 each file says what processor time it took, with all that it started and that has ended since. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, expect } from 'vitest';

/** Linux counts in these for programs (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const before = usedSeconds();

afterAll(() => {
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  process.stderr.write(`cpu ${(usedSeconds() - before).toFixed(1).padStart(6)} s ${file}\n`);
});

/** User and system time of this process, and of its children and theirs that were waited for: fields 14 to 17 of proc(5)'s stat. */
function usedSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}
