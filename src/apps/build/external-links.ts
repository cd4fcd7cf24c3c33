/**
 * Links out of an app's folder stay in it as links: what they lead to belongs to this machine, not to the app. Nothing that is read
 * for a build may be read through one.
 */
import { readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** What a build reads or writes, from the top folder: the platform itself and its buildpacks. */
const READ_BY_BUILDS = [
  '.slugignore',
  'Procfile',
  'app.json',
  'heroku.yml',
  'static.json',
  '.buildpacks',
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  '.yarnrc.yml',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  '.npmrc',
  'node_modules',
  'requirements.txt',
  'runtime.txt',
  '.python-version',
  'pyproject.toml',
  'uv.lock',
  'poetry.lock',
  'Pipfile',
  'Pipfile.lock',
  'manage.py',
  'bin/pre_compile',
  'bin/post_compile',
  'go.mod',
  'go.sum',
  'Gemfile',
  'Gemfile.lock',
  'Rakefile',
  'bin/go-pre-compile',
  'bin/go-post-compile',
  'vendor/cache',
  // Buildpacks write there.
  '.profile.d',
  '.heroku',
  '.tailrace',
  '.venv',
  '.yarn',
  'bin',
  'vendor',
];

/** The first of these paths that lead out of a folder through a link, as a sentence; undefined if none does. */
export async function findExternalLink(
  folder: string,
  paths: readonly string[] = READ_BY_BUILDS,
): Promise<string | undefined> {
  const root = await realpath(folder);
  for (const path of paths) {
    const at = join(folder, path);
    // What isn't there, or a link to nowhere, isn't read either.
    const real = await realpath(at).catch(() => undefined);
    if (real === undefined || real === root || real.startsWith(root + sep)) continue;
    const target = await readlink(at).catch(() => real);
    return `${path} is a link out of the app's folder (to ${target}), and such links aren't followed: put the file itself there.`;
  }
  return undefined;
}
