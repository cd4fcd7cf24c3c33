/** What installs a Python app's packages: decided by its files. */
import { BuildError } from '../steps/build-error.ts';

export type InstallerName = 'pip' | 'pipenv' | 'poetry' | 'uv';

export interface InstallerChoice {
  readonly name: InstallerName;
  /** The file with what is installed. */
  readonly file: string;
  /** To be said. */
  readonly warnings: readonly string[];
}

/** In Heroku's order. */
const INSTALLERS: readonly (readonly [file: string, name: InstallerName])[] = [
  ['Pipfile.lock', 'pipenv'],
  ['requirements.txt', 'pip'],
  ['poetry.lock', 'poetry'],
  ['uv.lock', 'uv'],
];

/** Does any of these files make it a Python app? */
export function isPythonApp(files: ReadonlySet<string>): boolean {
  return files.has('Pipfile') || INSTALLERS.some(([file]) => files.has(file));
}

/** @throws BuildError when the files contradict each other, or a lock is missing */
export function chooseInstaller(files: ReadonlySet<string>): InstallerChoice {
  const found = INSTALLERS.filter(([file]) => files.has(file));
  const locks = found.map(([file]) => file).filter((file) => file.endsWith('.lock'));
  if (locks.length > 1)
    throw new BuildError(
      `There are ${locks.length === 2 ? 'two' : locks.length} lock files, ${locks.join(' and ')}: remove those of tools that aren't used (git rm ${locks[1]}), and commit.`,
    );
  if (files.has('Pipfile') && locks.length === 0 && !files.has('requirements.txt'))
    throw new BuildError('There is a Pipfile without Pipfile.lock: run pipenv lock, and commit it.');
  if (found.length === 0)
    throw new BuildError('There is no requirements.txt: add one (it may be empty), and commit it.');
  const [[file, name], ...others] = found;
  const warnings = others.map(
    ([other]) => `${other} isn't looked at, since there is ${file}: remove the one that isn't used.`,
  );
  if (files.has('Pipfile') && name !== 'pipenv')
    warnings.push(`Pipfile isn't looked at, since there is ${file}: remove the one that isn't used.`);
  return { name, file, warnings };
}

/** Versions that are fetched when the server has no such program, from the package index. */
export const INSTALLER_VERSIONS: Readonly<Record<Exclude<InstallerName, 'pip'>, string>> = {
  pipenv: '2025.0.4',
  poetry: '2.2.1',
  uv: '0.9.5',
};

/** One step of an install: its program is the installer's, or the environment's Python. */
export interface InstallerCommand {
  readonly args: readonly string[];
  /** Said when it fails. */
  readonly failure: string;
}

/**
 * What the installer is told, so that it installs what the lock file says and nothing else.
 * @param version of the installer: `1.3.2`
 */
export function installerCommands(
  { name, file }: Pick<InstallerChoice, 'name' | 'file'>,
  version: string,
): InstallerCommand[] {
  const outdated = (command: string): string => `${file} doesn't match: run ${command}, and commit ${file}.`;
  const failed = `${name} could not install what ${file} says`;
  if (name === 'pip')
    return [{ args: ['-m', 'pip', 'install', '--progress-bar', 'off', '-r', file], failure: failed }];
  if (name === 'pipenv')
    return [
      {
        args: ['install', '--deploy'],
        failure: `${failed}; if it doesn't match Pipfile: run pipenv lock, and commit it`,
      },
    ];
  if (name === 'uv')
    return [
      { args: ['lock', '--check'], failure: outdated('uv lock') },
      { args: ['sync', '--frozen', '--no-default-groups', '--no-progress'], failure: failed },
    ];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const checks = major > 1 || minor >= 6 ? ['check', '--lock'] : ['lock', '--check'];
  return [
    { args: [...checks, '--no-interaction'], failure: outdated('poetry lock') },
    {
      args:
        major > 1
          ? ['sync', '--only', 'main', '--no-interaction']
          : ['install', '--sync', '--only', 'main', '--no-interaction'],
      failure: failed,
    },
  ];
}
