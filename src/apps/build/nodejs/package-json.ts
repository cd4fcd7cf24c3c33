/** What a build reads in a package.json. */
import { readAppJson } from '../steps/app-files.ts';

export interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>;
  /** Ranges of versions by program: `node`, `npm`, `yarn`, `pnpm`. */
  readonly engines: Readonly<Record<string, string>>;
  /** `pnpm@9.15.9+sha512.…` */
  readonly packageManager: string | undefined;
  /** Does it name any package, or have workspaces that may? */
  readonly hasPackages: boolean;
}

/** @throws BuildError when the file is no JSON; undefined when there is none */
export async function readPackageJson(folder: string): Promise<PackageJson | undefined> {
  const json = await readAppJson(folder, 'package.json');
  return json && parsePackageJson(json);
}

/** Fields of the wrong type count as unset, as they do for package managers. */
export function parsePackageJson(json: Readonly<Record<string, unknown>>): PackageJson {
  const packages = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  return {
    scripts: stringsOf(json.scripts),
    engines: stringsOf(json.engines),
    packageManager: typeof json.packageManager === 'string' ? json.packageManager : undefined,
    hasPackages:
      json.workspaces !== undefined ||
      packages.some((field) => Object.keys(stringsOf(json[field])).length > 0),
  };
}

function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
