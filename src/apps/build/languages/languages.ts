/** The built-in buildpacks, and how an app's language is found. */
import type { BuildFolders, Buildpack } from '../buildpacks/buildpack.ts';
import { nodejsBuildpack } from '../nodejs/nodejs.ts';
import { pythonBuildpack } from '../python/python.ts';
import { staticBuildpack } from '../static/static.ts';
import { listTopFolder } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { goBuildpack } from './go.ts';
import { procfileBuildpack } from './procfile.ts';
import { rubyBuildpack } from './ruby.ts';
import { refuseUnsupported, unknownAppSentence } from './unsupported.ts';

/** In Heroku's order of detection. */
const LANGUAGES = [rubyBuildpack, nodejsBuildpack, pythonBuildpack, goBuildpack];
/** What takes an app without one of these languages. */
const WITHOUT_LANGUAGE = [staticBuildpack, procfileBuildpack];

/** @param id `heroku/nodejs`, as references are parsed */
export function builtInBuildpack(id: string): Buildpack {
  const found = [...LANGUAGES, ...WITHOUT_LANGUAGE].find((one) => one.id === id);
  if (!found) throw new BuildError(`There is no built-in buildpack ${id}.`);
  return found;
}

/**
 * The buildpacks of an app that names none: that of its language, and the web server if it has a static.json as well.
 * @throws BuildError when it can't be built here
 */
export async function detectBuildpacks(shell: BuildShell, folders: BuildFolders): Promise<Buildpack[]> {
  const files = await listTopFolder(shell.folder);
  const languages: Buildpack[] = [];
  for (const language of LANGUAGES)
    if ((await language.detect(shell, folders)) !== undefined) languages.push(language);
  const [first, ...others] = languages;
  if (first) {
    for (const { id } of others)
      shell.line(`It could be ${id} as well: for both, tailrace buildpacks:add ${first.id} and then ${id}.`);
    return files.has('static.json') ? [first, staticBuildpack] : [first];
  }
  const refusal = refuseUnsupported(files);
  if (refusal !== undefined) throw new BuildError(refusal);
  for (const buildpack of WITHOUT_LANGUAGE)
    if ((await buildpack.detect(shell, folders)) !== undefined) return [buildpack];
  throw new BuildError(unknownAppSentence(files));
}
