/** Where pipenv, poetry and uv come from: the server's own, or an environment of its own in the app's cache. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildFolders } from '../buildpacks/buildpack.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { INSTALLER_VERSIONS, type InstallerName } from './choose-installer.ts';
import { createVirtualEnvironment } from './virtual-environment.ts';

/** @throws BuildError when the server has none, and none can be fetched */
export async function findInstaller(
  shell: BuildShell,
  { cache, tools }: BuildFolders,
  name: Exclude<InstallerName, 'pip'>,
  python: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly program: string; readonly version: string }> {
  const own = await versionOfInstaller(shell, name, env);
  if (own !== undefined) return { program: name, version: own };
  const version = INSTALLER_VERSIONS[name];
  const folder = join(cache, 'installers', `${name}-${version}`);
  const program = join(folder, 'bin', name);
  if ((await versionOfInstaller(shell, program, env)) !== undefined) return { program, version };
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(cache, 'installers'), { recursive: true, mode: 0o700 });
  shell.heading(`Fetching ${name} ${version}`);
  await createVirtualEnvironment(shell, tools, python, false, folder);
  const args = ['-m', 'pip', 'install', '--progress-bar', 'off', '--quiet', `${name}==${version}`];
  if ((await shell.run(join(folder, 'bin', 'python'), args, { env })) === 0) return { program, version };
  await rm(folder, { recursive: true, force: true });
  throw new BuildError(
    `${name} can't be had: install it on the server so that it is on its PATH (pipx install ${name}), or let the server reach a package index (PIP_INDEX_URL).`,
  );
}

async function versionOfInstaller(
  shell: BuildShell,
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  if (program.includes('/') && !existsSync(program)) return undefined;
  // Not in the app's folder, which may set up the program.
  const { status, stdout } = await shell.capture(program, ['--version'], { cwd: '/', env });
  return status === 0 ? (/(?:^|[ (])(\d[\d.]*)/.exec(stdout)?.[1] ?? '') : undefined;
}
