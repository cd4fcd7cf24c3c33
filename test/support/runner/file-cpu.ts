/** With TEST_CPU=1 each file says what processor time it took: the test's own process, and all that it started and that has ended since. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, expect } from 'vitest';

/** Linux counts in these for programs (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const before = usedSeconds();

afterAll(() => {
  const now = usedSeconds();
  const own = now.own - before.own;
  const started = now.started - before.started;
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  process.stderr.write(
    `cpu ${(own + started).toFixed(1)} s = ${own.toFixed(1)} + ${started.toFixed(1)} ${file}\n`,
  );
});

/** User and system time of this process, and of its children and theirs that were waited for: fields 14 to 17 of proc(5)'s stat. */
function usedSeconds(): { own: number; started: number } {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childrenUser, childrenSystem] = fields
    .slice(11, 15)
    .map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  return { own: user + system, started: childrenUser + childrenSystem };
}
