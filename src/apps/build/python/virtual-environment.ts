/** The virtual environment of an app: part of its slug, and usable in whatever folder a dyno runs. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { copyTree } from '../steps/copy-tree.ts';
import { BUILD_SCRIPTS } from '../steps/profile-script.ts';

export const VENV_FOLDER = '.venv';

/**
 * Puts an empty one into the app's folder. One takes seconds to make, and is the same every time.
 * @param python the interpreter
 */
export async function createVirtualEnvironment(
  shell: BuildShell,
  cache: string,
  python: string,
  hasSystemPackages: boolean,
): Promise<void> {
  const flags = hasSystemPackages ? ['--system-site-packages'] : [];
  const { stdout } = await shell.capture(python, ['-c', 'import sys; print(sys.executable, sys.version)']);
  const hash = createHash('sha256')
    .update(JSON.stringify([stdout, flags]))
    .digest('hex')
    .slice(0, 16);
  const empty = join(cache, `venv-${hash}`);
  if (!existsSync(empty)) {
    await mkdir(cache, { recursive: true });
    for (const name of await readdir(cache))
      if (name.startsWith('venv-')) await rm(join(cache, name), { recursive: true, force: true });
    const failure = 'A virtual environment can’t be made: install python3-venv on the server';
    await shell.runOrFail(failure, python, ['-m', 'venv', ...flags, `${empty}.part`]);
    await rename(`${empty}.part`, empty);
  }
  const folder = join(shell.folder, VENV_FOLDER);
  await rm(folder, { recursive: true, force: true });
  await copyTree(shell, empty, folder);
}

/** Makes the environment independent of the folder that it is in. @throws BuildError */
export async function relocateVirtualEnvironment(shell: BuildShell): Promise<void> {
  const python = join(shell.folder, VENV_FOLDER, 'bin', 'python');
  const status = await shell.run(python, ['-I', join(BUILD_SCRIPTS, 'relocate-venv.py'), shell.folder]);
  if (status !== 0) throw new BuildError('The virtual environment can’t be moved: what was said is above.');
}
