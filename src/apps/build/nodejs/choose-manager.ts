/** Which package manager an app has, and which version of it: decided by its lock file. */
import semver from 'semver';
import { BuildError } from '../steps/build-error.ts';
import type { PackageJson } from './package-json.ts';

export type ManagerName = 'npm' | 'pnpm' | 'yarn';

export interface ManagerChoice {
  readonly name: ManagerName;
  /** The package of the npm registry that it is. */
  readonly npmPackage: string;
  /** A version or range; undefined: the server's own npm. */
  readonly version: string | undefined;
  /** Undefined: there is none. */
  readonly lockFile: string | undefined;
}

const LOCK_FILES: Readonly<Record<string, ManagerName | 'bun'>> = {
  // npm reads this one when there are both.
  'npm-shrinkwrap.json': 'npm',
  'package-lock.json': 'npm',
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
};

/** By the version that a pnpm lock file has: the newest pnpm that writes it, before the comma. */
const PNPM_BY_LOCK: readonly (readonly [prefix: string, range: string])[] = [
  ['5.', '7.x'],
  ['6.', '8.x'],
  ['9.', '10.x'],
];
/** The same for yarn 2 and later (`__metadata: version:`), from this version on. */
const YARN_BY_LOCK: readonly (readonly [from: number, range: string])[] = [
  [7, '4.x'],
  [5, '3.x'],
  [0, '2.x'],
];
const YARN_CLASSIC = '1.22.x';
const DEFAULT_VERSIONS: Readonly<Record<ManagerName, string | undefined>> = {
  npm: undefined,
  pnpm: '10.x',
  yarn: '4.x',
};

/** Lock files among an app's files, at most one for each package manager. @param files of the top folder */
export function findLockFiles(files: ReadonlySet<string>): string[] {
  const found = Object.keys(LOCK_FILES).filter((name) => files.has(name));
  return found.filter((name, i) => found.findIndex((other) => LOCK_FILES[other] === LOCK_FILES[name]) === i);
}

/**
 * Chooses the package manager.
 * @param files of the top folder
 * @param lockText of the one lock file; '' if there is none
 * @throws BuildError when the files contradict each other
 */
export function chooseManager(
  { packageManager, engines }: Pick<PackageJson, 'packageManager' | 'engines'>,
  files: ReadonlySet<string>,
  lockText: string,
): ManagerChoice {
  const locks = findLockFiles(files);
  if (locks.length > 1)
    throw new BuildError(
      `There are ${locks.length === 2 ? 'two' : locks.length} lock files, ${locks.join(' and ')}: remove those of package managers that aren't used (git rm ${locks[1]}), and commit.`,
    );
  const [lockFile] = locks;
  const declared = packageManager === undefined ? undefined : parsePackageManager(packageManager);
  const name = lockFile === undefined ? (declared?.name ?? 'npm') : LOCK_FILES[lockFile];
  if (name === 'bun')
    throw new BuildError(
      "Bun isn't built in: name a buildpack for it (tailrace buildpacks:set URL), or lock the packages with npm, pnpm or yarn.",
    );
  if (declared && declared.name !== name)
    throw new BuildError(
      `packageManager in package.json says ${declared.name}, but the lock file is ${lockFile}, which is ${name}'s: remove one of them, and commit.`,
    );
  const version = declared?.version ?? validRange(engines[name]) ?? versionOfLock(name, lockText);
  return { name, npmPackage: npmPackageOf(name, version), version, lockFile };
}

/** @throws BuildError for a field that isn't `name@version` */
function parsePackageManager(field: string): { name: ManagerName | 'bun'; version: string } {
  const [, name, version = ''] = /^(npm|pnpm|yarn|bun)@([^+]+)(?:\+.*)?$/.exec(field.trim()) ?? [];
  if (name === undefined || !semver.valid(version))
    throw new BuildError(
      `packageManager in package.json is "${field.slice(0, 100)}": write npm, pnpm or yarn with a version, such as "pnpm@10.12.1".`,
    );
  return { name: name as ManagerName | 'bun', version };
}

function validRange(range: string | undefined): string | undefined {
  return range !== undefined && semver.validRange(range) !== null ? range : undefined;
}

function versionOfLock(name: ManagerName, lockText: string): string | undefined {
  if (name === 'pnpm') {
    const [, version = ''] = /^lockfileVersion:\s*['"]?([\d.]+)/m.exec(lockText) ?? [];
    return PNPM_BY_LOCK.find(([prefix]) => version.startsWith(prefix))?.[1] ?? DEFAULT_VERSIONS.pnpm;
  }
  if (name !== 'yarn' || lockText === '') return DEFAULT_VERSIONS[name];
  const [, version] = /^__metadata:\r?\n +version: ['"]?(\d+)/m.exec(lockText) ?? [];
  if (version === undefined) return YARN_CLASSIC;
  return YARN_BY_LOCK.find(([from]) => Number(version) >= from)?.[1];
}

/** Yarn 2 and later are another package than yarn 1. */
function npmPackageOf(name: ManagerName, version: string | undefined): string {
  if (name !== 'yarn') return name;
  const least = version === undefined ? null : semver.minVersion(version);
  return least && least.major < 2 && !semver.satisfies('2.4.1', version ?? '') ? 'yarn' : '@yarnpkg/cli-dist';
}
