/**
 * With TEST_CPU=1 each file says what processor time it took, and so does each of its tests that took a second (TEST_CPU=0.1: a tenth): of the test's own process and of
 * all that was started for it, whether it has ended, is nobody's child any more, or still runs.
 *
 * Each file is a control group of Linux for that (its worker moves from one to the next, and what it starts stays in the file's). Where none
 * can be made, as without root, only what has ended and was waited for is counted.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { endTailraceSession } from '../cli/tailrace-session.ts';

/** Linux counts in these for programs (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
/** Where version 1 of control groups counts processor time, and where version 2 is. */
const GROUPS = ['/sys/fs/cgroup/cpuacct', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];
/** A test that takes less isn't named: `TEST_CPU` itself. */
const NAMED_SECONDS = Number(process.env.TEST_CPU) || 1;

const group = enterGroup();
const before = usedSeconds();
let testBegan = before;

beforeEach(() => {
  testBegan = usedSeconds();
});

afterEach(({ task }) => {
  const seconds = usedSeconds() - testBegan;
  if (seconds >= NAMED_SECONDS)
    say(`test-cpu ${seconds.toFixed(2)} s ${fileName()} > ${expect.getState().currentTestName ?? task.name}`);
});

afterAll(() => {
  // It would be counted for the file that began it.
  endTailraceSession();
  say(`cpu ${(usedSeconds() - before).toFixed(2)} s ${fileName()}`);
  leaveGroup();
});

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function fileName(): string {
  return relative(process.cwd(), expect.getState().testPath ?? '');
}

/** Makes a control group and moves this process into it; gives its folder. */
function enterGroup(): string | undefined {
  for (const parent of GROUPS) {
    const folder = join(parent, `tailrace-test-${process.pid}-${process.hrtime.bigint()}`);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
      return folder;
    } catch {
      // There are none, or they aren't ours to make.
    }
  }
  return undefined;
}

/** Out of it again, and it is removed; one that something of the file still runs in stays. */
function leaveGroup(): void {
  if (!group) return;
  try {
    writeFileSync(join(dirname(group), 'cgroup.procs'), String(process.pid));
    rmdirSync(group);
  } catch {
    // Busy.
  }
}

function usedSeconds(): number {
  if (!group) return secondsWaitedFor();
  const usage = join(group, 'cpuacct.usage');
  if (existsSync(usage)) return Number(readFileSync(usage, 'utf8')) / 1e9;
  const [, microseconds] = /^usage_usec (\d+)/m.exec(readFileSync(join(group, 'cpu.stat'), 'utf8')) ?? [];
  return Number(microseconds) / 1e6;
}

/** User and system time of this process, and of its children and theirs that were waited for: fields 14 to 17 of proc(5)'s stat. */
function secondsWaitedFor(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).map(Number);
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}
