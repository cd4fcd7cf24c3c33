/** What every buildpack is: those of the package, one for each language, and those that are fetched. */
import type { BuildShell } from '../steps/build-shell.ts';

/** The folders of one build, beside the app's own. */
export interface BuildFolders {
  /** Of the app, kept from build to build. */
  readonly cache: string;
  /** A file for each config var. */
  readonly env: string;
  /** Of all apps: runtimes and package managers that were fetched. */
  readonly tools: string;
}

export interface Buildpack {
  /** What it is installed by: `heroku/nodejs`, a URL, a folder. */
  readonly id: string;
  /** @returns what the app is (`Node.js`); undefined when this buildpack doesn't take it */
  detect(shell: BuildShell, folders: BuildFolders): Promise<string | undefined>;
  /** Makes the app ready to run. @throws BuildError */
  compile(shell: BuildShell, folders: BuildFolders): Promise<void>;
  /** Commands by process type, for those that the Procfile doesn't name. */
  release(shell: BuildShell, folders: BuildFolders): Promise<Readonly<Record<string, string>>>;
}
