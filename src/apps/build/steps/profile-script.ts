import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';

/** Programs and scripts of the package, for builds and slugs. */
export const BUILD_SCRIPTS = join(PACKAGE_ROOT, 'buildpacks');

/** Puts what the shell of every dyno reads before its command into the app. @param name `nodejs` */
export async function addProfileScript(folder: string, name: string): Promise<void> {
  await mkdir(join(folder, '.profile.d'), { recursive: true });
  await copyFile(join(BUILD_SCRIPTS, 'profile.d', `${name}.sh`), join(folder, '.profile.d', `${name}.sh`));
}
