/** The buildpack of Python apps: a virtual environment with what requirements.txt or a lock file says. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildFolders, Buildpack } from '../buildpacks/buildpack.ts';
import { listTopFolder, readAppText } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { runHook } from '../steps/hook.ts';
import { addProfileScript } from '../steps/profile-script.ts';
import { chooseInstaller, type InstallerChoice, installerCommands, isPythonApp } from './choose-installer.ts';
import { collectStaticFiles } from './django.ts';
import { findInstaller } from './installer-programs.ts';
import { meetsPythonRequest, pythonCandidates, requestedPython } from './python-version.ts';
import { createVirtualEnvironment, relocateVirtualEnvironment, VENV_FOLDER } from './virtual-environment.ts';

export const pythonBuildpack: Buildpack = {
  id: 'heroku/python',

  async detect({ folder }) {
    return isPythonApp(await listTopFolder(folder)) ? 'Python' : undefined;
  },

  async compile(shell, folders) {
    const installer = chooseInstaller(await listTopFolder(shell.folder));
    for (const warning of installer.warnings) shell.warn(warning);
    const { program, version } = await findPython(shell);
    const hasSystemPackages = /^(1|yes|true|on)$/.test(shell.config.PYTHON_SYSTEM_PACKAGES ?? 'no');
    shell.heading(`Python ${version}${hasSystemPackages ? ', with the packages of the system' : ''}`);
    const venv = join(shell.folder, VENV_FOLDER);
    await rm(venv, { recursive: true, force: true });
    await createVirtualEnvironment(shell, folders.tools, program, hasSystemPackages, venv);
    shell.prependPath(join(venv, 'bin'));
    shell.export({ VIRTUAL_ENV: venv, PYTHONUNBUFFERED: '1', LANG: shell.config.LANG ?? 'C.UTF-8' });
    await runHook(shell, 'bin/pre_compile');
    await installPackages(shell, folders, installer, program);
    await relocateVirtualEnvironment(shell);
    await collectStaticFiles(shell, 'python');
    await runHook(shell, 'bin/post_compile');
    await addProfileScript(shell.folder, 'python');
  },

  async release() {
    return {};
  },
};

interface FoundPython {
  readonly program: string;
  /** `3.12.4` */
  readonly version: string;
}

/** The interpreter that the config var `PYTHON` names, or the app's files ask for. @throws BuildError if there is none at all */
async function findPython(shell: BuildShell): Promise<FoundPython> {
  const { folder, config } = shell;
  const requested = requestedPython(
    await readAppText(folder, '.python-version'),
    await readAppText(folder, 'runtime.txt'),
  );
  const pyenv = join(process.env.PYENV_ROOT ?? join(process.env.HOME ?? '/', '.pyenv'), 'versions');
  const candidates = config.PYTHON
    ? [config.PYTHON]
    : pythonCandidates(requested?.version, pyenv, await readdir(pyenv).catch(() => []));
  const found: FoundPython[] = [];
  for (const program of candidates) {
    const version = await versionOf(shell, program);
    if (version === undefined) continue;
    if (requested === undefined || meetsPythonRequest(version, requested.version))
      return { program, version };
    found.push({ program, version });
  }
  const [best] = found;
  if (best === undefined)
    throw new BuildError(
      `There is no Python at "${candidates[0]}": install python3 and python3-venv on the server, or set PYTHON.`,
    );
  shell.warn(
    `${requested?.file} asks for Python ${requested?.version}, which this server doesn't have: the app is built and run with Python ${best.version}. Install it on the server, or name its file: tailrace config:set PYTHON=/path/to/python3.`,
  );
  return best;
}

async function versionOf(shell: BuildShell, program: string): Promise<string | undefined> {
  if (program.includes('/') && !existsSync(program)) return undefined;
  const code = 'import platform; print(platform.python_version())';
  const { status, stdout } = await shell.capture(program, ['-c', code]);
  return status === 0 ? stdout.trim() : undefined;
}

async function installPackages(
  shell: BuildShell,
  folders: BuildFolders,
  installer: InstallerChoice,
  python: string,
): Promise<void> {
  const venvPython = join(shell.folder, VENV_FOLDER, 'bin', 'python');
  const env = {
    PIP_CACHE_DIR: join(folders.cache, 'pip'),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_ROOT_USER_ACTION: 'ignore',
    PIP_NO_INPUT: '1',
    PIPENV_CACHE_DIR: join(folders.cache, 'pipenv'),
    PIPENV_NOSPIN: '1',
    PIPENV_VERBOSITY: '-1',
    POETRY_CACHE_DIR: join(folders.cache, 'poetry'),
    POETRY_VIRTUALENVS_CREATE: 'false',
    UV_CACHE_DIR: join(folders.cache, 'uv'),
    UV_PROJECT_ENVIRONMENT: join(shell.folder, VENV_FOLDER),
    UV_PYTHON: venvPython,
    UV_PYTHON_DOWNLOADS: 'never',
    UV_LINK_MODE: 'copy',
    NO_COLOR: '1',
  };
  const { program, version } =
    installer.name === 'pip'
      ? { program: venvPython, version: '' }
      : await findInstaller(shell, folders, installer.name, python, env);
  shell.heading(
    `Installing packages (${installer.file}${version === '' ? '' : `, ${installer.name} ${version}`})`,
  );
  for (const { args, failure } of installerCommands(installer, version)) {
    const status = await shell.run(program, args, { env });
    if (status === 0) continue;
    if (installer.name !== 'pip') throw new BuildError(failure);
    throw new BuildError(
      'pip could not install requirements.txt. Without a package index that the server reaches (PIP_INDEX_URL), install the packages on the server, and: tailrace config:set PYTHON_SYSTEM_PACKAGES=yes',
    );
  }
}
