/** What a build reads in a package.json. */
import type { JsonObject } from '../../../common/json-object.ts';
import { readAppJson } from '../steps/app-files.ts';

export interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>;
  /** Ranges of versions by program: `node`, `npm`, `yarn`, `pnpm`. */
  readonly engines: Readonly<Record<string, string>>;
  /** `pnpm@9.15.9+sha512.…` */
  readonly packageManager: string | undefined;
  /** Does it name any package, have workspaces that may, or scripts that an install runs? */
  readonly hasPackages: boolean;
  /** Does it name packages that only the build needs, or have workspaces that may? */
  readonly mayHaveDevPackages: boolean;
}

/** An app of several folders installs the others in one of these: `cd server && npm ci`. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

/** @throws BuildError when the file is no JSON; undefined when there is none */
export async function readPackageJson(folder: string): Promise<PackageJson | undefined> {
  const json = await readAppJson(folder, 'package.json');
  return json && parsePackageJson(json);
}

/** Fields of the wrong type count as unset, as they do for package managers. */
export function parsePackageJson(json: JsonObject): PackageJson {
  const packages = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  const scripts = stringsOf(json.scripts);
  const isNamed = (field: string): boolean => Object.keys(stringsOf(json[field])).length > 0;
  const hasWorkspaces = json.workspaces !== undefined;
  return {
    scripts,
    engines: stringsOf(json.engines),
    packageManager: typeof json.packageManager === 'string' ? json.packageManager : undefined,
    hasPackages:
      hasWorkspaces || INSTALL_SCRIPTS.some((name) => scripts[name] !== undefined) || packages.some(isNamed),
    mayHaveDevPackages: hasWorkspaces || isNamed('devDependencies'),
  };
}

function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
