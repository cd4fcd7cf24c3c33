/** One build: a source archive in, a folder that is ready to run and its process types out. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../common/package-info.ts';
import { TarError } from '../../common/tar/tar-header.ts';
import { redactUrl } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { ProcfileError, parseProcfile } from '../processes/config/procfile.ts';
import type { BuildFolders, Buildpack } from './buildpacks/buildpack.ts';
import { glibcVersion, stackFor } from './buildpacks/stack.ts';
import { chooseBuildpacks } from './choose-buildpacks.ts';
import { findExternalLink } from './external-links.ts';
import { describeLfsPointers } from './lfs-pointers.ts';
import { locate } from './slugignore.ts';
import { SOURCE_LIMITS } from './source-limits.ts';
import { readAppText } from './steps/app-files.ts';
import { BuildError } from './steps/build-error.ts';
import { BuildShell, buildEnvironment } from './steps/build-shell.ts';
import { runStep } from './steps/build-step.ts';
import { extractTar } from './tar-extract.ts';

export interface BuildOptions {
  /** A gzipped tar of the source. */
  readonly source: string;
  /** An empty folder of its own. */
  readonly work: string;
  /** The buildpacks' cache, kept from build to build. */
  readonly cache: string;
  /** Runtimes and package managers of all apps. */
  readonly tools: string;
  /** Sees the unpacked source. @returns the app's config vars */
  readonly prepare: (folder: string) => Promise<Readonly<Record<string, string>>>;
  /** Buildpacks that were set for the app; none: they are detected. */
  readonly buildpacks: readonly string[];
  /** What buildpacks may be fetched from. */
  readonly fetchPolicy: TargetPolicy;
  /** The commit, for `SOURCE_VERSION`; '' for none. */
  readonly commit: string;
  /** Of this build, for `REQUEST_ID`. */
  readonly id: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface BuildResult {
  readonly folder: string;
  readonly processTypes: Readonly<Record<string, string>>;
  /** `Node.js`, of several buildpacks `Node.js, Static`. */
  readonly buildpack: string;
}

const REMOVE_IGNORED = join(PACKAGE_ROOT, 'dist', 'bundle', 'remove-ignored.js');

const HEROKU_YML =
  'There is a heroku.yml, which has Docker images built, and that can\'t be done here. Write what its `run` says into a Procfile ("web: …", `release.command` as "release: …"), and what its `setup` says into an app.json; then remove heroku.yml, or name it in .slugignore.';

/** Builds an app. @throws BuildError with what its owner has to do */
export async function buildApp(options: BuildOptions): Promise<BuildResult> {
  const { source, work, cache, tools, commit, id, onLine, signal } = options;
  const folder = join(work, 'app');
  const folders: BuildFolders = { cache, tools, env: join(work, 'env') };
  for (const needed of [folder, folders.env, cache]) await mkdir(needed, { recursive: true, mode: 0o700 });
  const buildVariables = {
    HOME: work,
    TMPDIR: work,
    STACK: stackFor(glibcVersion()),
    SOURCE_VERSION: commit,
    REQUEST_ID: id,
  };
  const env = { ...buildEnvironment(process.env), ...buildVariables };
  await unpackSource(source, new BuildShell({ folder, env, config: {}, onLine, signal }));
  if (existsSync(join(folder, 'heroku.yml'))) throw new BuildError(HEROKU_YML);
  const config = await options.prepare(folder);
  for (const [name, value] of Object.entries(config))
    await writeFile(join(folders.env, name), value, { mode: 0o600 });
  const shell = new BuildShell({ folder, env, config, onLine, signal });
  onLine('-----> Building on the local stack');
  // Before the long work; a buildpack may still write another one.
  await readProcfile(folder);
  const { buildpacks: installed, fetchPolicy } = options;
  const buildpacks = await chooseBuildpacks(shell, folders, { installed, work, fetchPolicy });
  const names: string[] = [];
  for (const buildpack of buildpacks) {
    names.push(await detectOrFail(buildpack, shell, folders));
    onLine(`-----> ${names.at(-1)} app detected`);
    await buildpack.compile(shell, folders);
    await mkdir(cache, { recursive: true }); // one may have removed it
  }
  // As on Heroku, the last one says how the app is run.
  const defaults = (await buildpacks.at(-1)?.release(shell, folders)) ?? {};
  const processTypes = await discoverProcessTypes(folder, defaults, names, onLine);
  await rm(join(folder, '.git'), { recursive: true, force: true });
  return { folder, processTypes, buildpack: names.join(', ') };
}

async function detectOrFail(buildpack: Buildpack, shell: BuildShell, folders: BuildFolders): Promise<string> {
  const name = await buildpack.detect(shell, folders);
  if (name === undefined)
    throw new BuildError(
      `The buildpack ${redactUrl(buildpack.id)} does not take this app (its detection failed): remove it (tailrace buildpacks:remove), or add the files that it looks for.`,
    );
  return name;
}

async function discoverProcessTypes(
  folder: string,
  defaults: Readonly<Record<string, string>>,
  names: readonly string[],
  onLine: (line: string) => void,
): Promise<Record<string, string>> {
  const declared = await readProcfile(folder);
  onLine('-----> Discovering process types');
  onLine(`       Procfile declares types     -> ${Object.keys(declared).join(', ') || '(none)'}`);
  const added = Object.keys(defaults).filter((type) => !Object.hasOwn(declared, type));
  if (added.length > 0) onLine(`       Default types for buildpack -> ${added.join(', ')}`);
  const processTypes = { ...declared, ...Object.fromEntries(added.map((type) => [type, defaults[type]])) };
  if (Object.keys(processTypes).length === 0)
    throw new BuildError(
      `There is no Procfile, and nothing in this ${names.at(-1)} app says how it is run: add a Procfile with a line for each process type, such as "web: node server.js"; for a folder of built files add a static.json such as { "root": "dist" }.`,
    );
  return processTypes;
}

async function unpackSource(source: string, shell: BuildShell): Promise<void> {
  const { folder } = shell;
  let lfsPointers: readonly string[];
  try {
    ({ lfsPointers } = await extractTar(source, folder, SOURCE_LIMITS));
  } catch (error) {
    if (error instanceof TarError) throw new BuildError(error.message, { cause: error });
    throw error;
  }
  await rejectLinkOut(folder);
  await removeIgnored(shell);
  for (const line of describeLfsPointers(lfsPointers.filter((path) => existsSync(locate(folder, path)))))
    shell.raw(line);
}

/** As if they had never been there: no buildpack sees them. */
async function removeIgnored(shell: BuildShell): Promise<void> {
  const { folder, signal } = shell;
  if (!existsSync(join(folder, '.slugignore'))) return;
  const args = [REMOVE_IGNORED, folder];
  const { status } = await runStep({
    program: process.execPath,
    args,
    cwd: folder,
    env: shell.bareEnv,
    onLine: (line) => shell.raw(line),
    signal,
  });
  shell.throwIfAborted();
  if (status !== 0) throw new BuildError("What .slugignore names can't be taken out.");
}

/** @throws BuildError when something that is read for a build leads out of its folder */
async function rejectLinkOut(folder: string): Promise<void> {
  const message = await findExternalLink(folder);
  if (message !== undefined) throw new BuildError(message);
}

async function readProcfile(folder: string): Promise<Record<string, string>> {
  // A buildpack may have made one.
  const text = await readAppText(folder, 'Procfile');
  if (text === undefined) return {};
  try {
    const entries = parseProcfile(text);
    return Object.fromEntries(entries.map(({ type, command }) => [type, command]));
  } catch (error) {
    if (error instanceof ProcfileError) throw new BuildError(error.message, { cause: error });
    throw error;
  }
}
