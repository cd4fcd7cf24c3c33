/** The buildpack of sites that are files alone: a web server of ours goes with them. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';
import type { Buildpack } from '../buildpacks/buildpack.ts';
import { readAppJson } from '../steps/app-files.ts';
import { BuildError } from '../steps/build-error.ts';
import { parseStaticConfig, StaticConfigError } from './static-config.ts';

/** Of the package. */
const SERVER = join(PACKAGE_ROOT, 'dist', 'bundle', 'static-server', 'static-server.mjs');
/** In the slug: a slug runs as it was built, whatever version of the server runs it. */
const SERVER_IN_SLUG = '.tailrace/static-server.mjs';

export const staticBuildpack: Buildpack = {
  id: 'tailrace/static',

  async detect({ folder }) {
    const has = (name: string): boolean => existsSync(join(folder, name));
    return has('static.json') || (has('index.html') && !has('Procfile')) ? 'Static' : undefined;
  },

  async compile(shell) {
    const json = await readAppJson(shell.folder, 'static.json');
    let root: string;
    try {
      ({ root } = parseStaticConfig(json, shell.config));
    } catch (error) {
      if (error instanceof StaticConfigError) throw new BuildError(error.message, { cause: error });
      throw error;
    }
    await requireRoot(shell.folder, root);
    await mkdir(join(shell.folder, dirname(SERVER_IN_SLUG)), { recursive: true });
    await copyFile(SERVER, join(shell.folder, SERVER_IN_SLUG));
    await mkdir(join(shell.folder, '.profile.d'), { recursive: true });
    await writeFile(
      join(shell.folder, '.profile.d', 'static.sh'),
      `command -v node >/dev/null || export PATH="$PATH:${dirname(process.execPath)}"
`,
    );
    shell.heading(`The files of ${root === '.' ? 'the app' : root} are served`);
  },

  async release() {
    return { web: `node ${SERVER_IN_SLUG}` };
  },
};

/** @throws BuildError */
async function requireRoot(folder: string, root: string): Promise<void> {
  const found = await realpath(join(folder, root)).catch(() => undefined);
  const top = await realpath(folder);
  if (found === undefined || !(await stat(found)).isDirectory())
    throw new BuildError(
      `There is no folder ${root}, where static.json says that the files are ("root"): commit it, or have the build make it.`,
    );
  if (found !== top && !found.startsWith(`${top}/`))
    throw new BuildError("root in static.json leads out of the app's folder: name a folder within it.");
}
