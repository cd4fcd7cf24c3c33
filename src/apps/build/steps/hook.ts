import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildShell } from './build-shell.ts';

/** Runs a program of the app's own, if it has it: `bin/post_compile`. @throws BuildError when it fails */
export async function runHook(shell: BuildShell, path: string): Promise<void> {
  const file = join(shell.folder, path);
  if (!existsSync(file)) return;
  shell.heading(`Running ${path}`);
  // Git on some systems keeps no mode: it need not be executable.
  const script = 'if [ -x "$1" ]; then exec "$1"; else exec bash "$1"; fi';
  await shell.runOrFail(`${path} failed`, 'bash', ['-c', script, 'hook', file]);
}
