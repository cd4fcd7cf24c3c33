/** What Django apps need of a build: their static files in one place. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';

/** Folders above `manage.py`. */
const DEPTH_MAX = 2;

/** @returns the path of the topmost `manage.py`, from the app's folder; undefined if there is none */
async function findManagePy(folder: string): Promise<string | undefined> {
  let level = [''];
  for (let depth = 0; depth <= DEPTH_MAX && level.length > 0; depth++) {
    const found = level.find((path) => existsSync(join(folder, path, 'manage.py')));
    if (found !== undefined) return join(found, 'manage.py');
    const below: string[] = [];
    for (const path of level)
      for (const entry of await readdir(join(folder, path), { withFileTypes: true }))
        if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
          below.push(join(path, entry.name));
    level = below;
  }
  return undefined;
}

/** Runs `collectstatic`, unless `DISABLE_COLLECTSTATIC` is set. @throws BuildError when that fails */
export async function collectStaticFiles(shell: BuildShell, python: string): Promise<void> {
  const managePy = await findManagePy(shell.folder);
  if (managePy === undefined) return;
  const { status: noDjango } = await shell.capture(python, ['-c', 'import django']);
  if (noDjango !== 0) return;
  if (shell.config.DISABLE_COLLECTSTATIC) {
    shell.heading('Skipping collectstatic: DISABLE_COLLECTSTATIC is set');
    return;
  }
  const command = `python ${managePy} collectstatic --noinput`;
  const { status: noCommand } = await shell.capture(python, [managePy, 'help', 'collectstatic']);
  if (noCommand !== 0) {
    shell.heading("Skipping collectstatic: django.contrib.staticfiles isn't installed, or the settings fail");
    return;
  }
  shell.heading(`$ ${command}`);
  let hasNoRoot = false;
  const args = [managePy, 'collectstatic', '--noinput', '--traceback'];
  const status = await shell.run(python, args, {}, (line) => {
    hasNoRoot ||= line.includes('without having set the STATIC_ROOT setting');
  });
  if (status === 0) return;
  if (hasNoRoot) shell.warn("Static files aren't collected: STATIC_ROOT isn't set in the settings.");
  else
    throw new BuildError(
      `${command} failed (status ${status}): mend it, or skip it with tailrace config:set DISABLE_COLLECTSTATIC=1.`,
    );
}
