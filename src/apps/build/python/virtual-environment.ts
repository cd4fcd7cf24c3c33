/** The virtual environment of an app: part of its slug, and usable in whatever folder a dyno runs. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { keepFolder, removeOldFolders } from '../../../common/files/kept-folders.ts';
import { BuildError } from '../steps/build-error.ts';
import { type BuildShell, buildEnvironment } from '../steps/build-shell.ts';
import { runStep } from '../steps/build-step.ts';
import { copyTree } from '../steps/copy-tree.ts';
import { BUILD_SCRIPTS } from '../steps/profile-script.ts';

export const VENV_FOLDER = '.venv';
/** Empty environments that are kept, the last used ones. */
const EMPTY_MAX = 8;

/**
 * Copies an empty environment to a folder that doesn't exist yet. One takes seconds to make, and is the same for all apps.
 * @param tools the folder of all apps
 * @param python the interpreter
 * @throws BuildError
 */
export async function createVirtualEnvironment(
  shell: BuildShell,
  tools: string,
  python: string,
  hasSystemPackages: boolean,
  folder: string,
): Promise<void> {
  const flags = hasSystemPackages ? ['--system-site-packages'] : [];
  // A program of the app's own is another one in each build: others don't get what it makes.
  const program = python.includes('/') ? resolve(shell.folder, python) : python;
  const { stdout } = await shell.capture(program, ['-c', 'import sys; print(sys.executable, sys.version)']);
  const hash = createHash('sha256')
    .update(JSON.stringify([program, stdout, flags]))
    .digest('hex')
    .slice(0, 16);
  const kept = join(tools, 'python');
  const empty = join(kept, hash);
  if (!existsSync(empty)) {
    await mkdir(kept, { recursive: true, mode: 0o700 });
    await makeEmpty(shell, kept, empty, program, flags);
    await removeOldFolders(kept, EMPTY_MAX, (name) => !name.startsWith('.'));
  }
  const now = new Date();
  await utimes(empty, now, now);
  await copyTree(shell, join(empty, VENV_FOLDER), folder);
}

async function makeEmpty(
  shell: BuildShell,
  kept: string,
  empty: string,
  program: string,
  flags: readonly string[],
): Promise<void> {
  const unfinished = join(kept, `.${randomUUID()}`);
  const { status } = await runStep({
    program,
    args: ['-m', 'venv', ...flags, join(unfinished, VENV_FOLDER)],
    cwd: kept,
    // What an app has set doesn't decide what other apps get.
    env: buildEnvironment(process.env),
    onLine: (line) => shell.line(line),
    signal: shell.signal,
  });
  try {
    shell.throwIfAborted();
    if (status !== 0)
      throw new BuildError(
        `A virtual environment can't be made: install python3-venv on the server (status ${status})`,
      );
    await relocate(shell, unfinished);
    // Another build may have been first.
    await keepFolder(unfinished, empty);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Makes the app's environment independent of the folder that it is in. @throws BuildError */
export function relocateVirtualEnvironment(shell: BuildShell): Promise<void> {
  return relocate(shell, shell.folder, '--last');
}

async function relocate(shell: BuildShell, parent: string, ...flags: string[]): Promise<void> {
  const python = join(parent, VENV_FOLDER, 'bin', 'python');
  const status = await shell.run(python, ['-I', join(BUILD_SCRIPTS, 'relocate-venv.py'), parent, ...flags]);
  if (status !== 0) throw new BuildError("The virtual environment can't be moved: what was said is above.");
}
