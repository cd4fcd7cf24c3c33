import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findShell } from '../../../src/apps/processes/shell.ts';

test('commands run in bash where the system has one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shell-'));
  await writeFile(join(folder, 'bash'), '');
  await chmod(join(folder, 'bash'), 0o755);
  const shell = findShell(folder);
  // A system without bash of its own finds the one in the path; one in a relative folder is never taken.
  expect(['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash', join(folder, 'bash')]).toContain(shell);
  expect(findShell('.:relative')).toMatch(/^\//);
});
