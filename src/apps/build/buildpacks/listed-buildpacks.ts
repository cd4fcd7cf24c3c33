/** Which buildpacks an app names itself, and where. */
import type { JsonObject } from '../../../common/json-object.ts';
import { readAppJson, readAppText } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';

/** Buildpacks in their order, none if they are to be detected. */
export interface ListedBuildpacks {
  readonly references: readonly string[];
  /** `the config var BUILDPACK_URL` */
  readonly source: string;
}

const BUILDPACKS_MAX = 20;

/**
 * The first of these that there is: `BUILDPACK_URL`, those that were set for the app, the file `.buildpacks`, `app.json`.
 * @throws BuildError when a file can't be read
 */
export async function listBuildpacks(
  folder: string,
  config: Readonly<Record<string, string>>,
  installed: readonly string[],
): Promise<ListedBuildpacks> {
  if (config.BUILDPACK_URL)
    return { references: [config.BUILDPACK_URL], source: 'the config var BUILDPACK_URL' };
  if (installed.length > 0) return { references: installed, source: 'the app’s buildpacks' };
  const listed = parseBuildpacksFile((await readAppText(folder, '.buildpacks')) ?? '');
  if (listed.length > 0) return limited({ references: listed, source: '.buildpacks' });
  const appJson = await readAppJson(folder, 'app.json');
  return limited({ references: buildpacksOfAppJson(appJson ?? {}), source: 'app.json' });
}

function limited(listed: ListedBuildpacks): ListedBuildpacks {
  if (listed.references.length > BUILDPACKS_MAX)
    throw new BuildError(`${listed.source} names more than ${BUILDPACKS_MAX} buildpacks: leave some out.`);
  return listed;
}

/** One a line; comments begin with `#`. */
export function parseBuildpacksFile(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** `"buildpacks": [{ "url": "heroku/nodejs" }]`. @throws BuildError */
export function buildpacksOfAppJson(json: JsonObject): string[] {
  const { buildpacks } = json;
  if (buildpacks === undefined) return [];
  const urls = Array.isArray(buildpacks) ? buildpacks.map((one: unknown) => urlOf(one)) : [undefined];
  if (urls.some((url) => url === undefined))
    throw new BuildError('buildpacks in app.json must be a list such as [{ "url": "heroku/nodejs" }].');
  return urls.filter((url) => url !== undefined);
}

function urlOf(one: unknown): string | undefined {
  if (typeof one !== 'object' || one === null || !('url' in one)) return undefined;
  return typeof one.url === 'string' ? one.url : undefined;
}
