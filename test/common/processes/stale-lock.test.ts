import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const LOCK = join(import.meta.dirname, '../../../dist/src/common/processes/process-lock.js');
const PROCESSES = 4;
const ROUNDS = 60;

/** A program that takes the lock of a folder at a moment, and says whether it has it. */
const PROGRAM = `
import { acquireProcessLock } from ${JSON.stringify(LOCK)};
process.on('message', ({ file, atMs }) => {
  while (Date.now() < atMs);
  const lock = acquireProcessLock(file);
  process.send(typeof lock === 'function');
});
process.send('ready');
`;

it('a lock whose holder was killed is taken by one of those that find it at the same moment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-stale-'));
  const program = join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
  const children: ChildProcess[] = Array.from({ length: PROCESSES }, () => fork(program));
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await Promise.all(children.map((child) => once(child, 'message')));
  for (let round = 0; round < ROUNDS; round++) {
    const file = join(folder, `lock-${round}`);
    // Above the highest process id.
    writeFileSync(file, '4194304 1\n');
    const answers = children.map((child) => once(child, 'message'));
    for (const child of children) child.send({ file, atMs: Date.now() + 3 });
    const held = (await Promise.all(answers)).filter(([isHeld]) => isHeld);
    expect(held, `round ${round}`).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.startsWith(`lock-${round}`))).toEqual([`lock-${round}`]);
  }
});
