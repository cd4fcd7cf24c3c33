/** One build: a source archive in, a folder that is ready to run and its process types out. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../common/package-info.ts';
import { ProcfileError, parseProcfile } from '../processes/config/procfile.ts';
import { runStep } from './build-step.ts';
import {
  BuildError,
  compileApp,
  defaultProcessTypes,
  detectBuildpack,
  fetchBuildpack,
  type StepContext,
} from './buildpack.ts';
import { describeLfsPointers } from './lfs-pointers.ts';
import { findLinkOut } from './linked-out.ts';
import { hostEnvironment } from './slug-files.ts';
import { locate } from './slugignore.ts';
import { SOURCE_LIMITS } from './source-limits.ts';
import { extractTar } from './tar-extract.ts';
import { TarError } from './tar-header.ts';

export interface BuildOptions {
  /** A gzipped tar of the source. */
  readonly source: string;
  /** An empty folder of its own. */
  readonly work: string;
  /** The buildpacks' cache, kept from build to build. */
  readonly cache: string;
  readonly config: Readonly<Record<string, string>>;
  /** The commit, for `SOURCE_VERSION`; '' for none. */
  readonly commit: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface BuildResult {
  readonly folder: string;
  readonly processTypes: Readonly<Record<string, string>>;
  readonly buildpack: string;
}

const REMOVE_IGNORED = join(PACKAGE_ROOT, 'dist', 'bundle', 'remove-ignored.js');

/** Builds an app. @throws BuildError with what its owner has to do */
export async function buildApp(options: BuildOptions): Promise<BuildResult> {
  const { source, work, cache, config, commit, onLine, signal } = options;
  const folder = join(work, 'app');
  const env = join(work, 'env');
  for (const needed of [folder, env, cache]) await mkdir(needed, { recursive: true, mode: 0o700 });
  for (const [name, value] of Object.entries(config))
    await writeFile(join(env, name), value, { mode: 0o600 });
  const buildVariables = { HOME: work, TMPDIR: work, STACK: 'local', SOURCE_VERSION: commit };
  const stepContext = { env: { ...hostEnvironment(process.env), ...buildVariables }, onLine, signal };
  await unpackSource(source, folder, stepContext);
  onLine('-----> Building on the local stack');
  // Before the long work; a buildpack may still write another one.
  await readProcfile(folder);
  const buildpack = config.BUILDPACK_URL
    ? await fetchBuildpack(config.BUILDPACK_URL, join(work, 'buildpack'), folder, stepContext)
    : await detectBuildpack(folder, stepContext);
  onLine(`-----> ${buildpack.name} app detected`);
  await compileApp(buildpack, { build: folder, cache, env }, stepContext);
  const defaults = await defaultProcessTypes(buildpack, folder, stepContext);
  const declared = await readProcfile(folder);
  onLine('-----> Discovering process types');
  const named = Object.keys(declared);
  onLine(`       Procfile declares types     -> ${named.join(', ') || '(none)'}`);
  const added = Object.keys(defaults).filter((type) => !(type in declared));
  if (added.length > 0) onLine(`       Default types for buildpack -> ${added.join(', ')}`);
  const processTypes = { ...declared, ...Object.fromEntries(added.map((type) => [type, defaults[type]])) };
  if (Object.keys(processTypes).length === 0)
    throw new BuildError(
      'There is no Procfile: add one with a line for each process type, such as "web: node server.js".',
    );
  await rm(join(folder, '.git'), { recursive: true, force: true });
  return { folder, processTypes, buildpack: buildpack.name };
}

async function unpackSource(source: string, folder: string, context: StepContext): Promise<void> {
  let lfsPointers: readonly string[];
  try {
    ({ lfsPointers } = await extractTar(source, folder, SOURCE_LIMITS));
  } catch (error) {
    if (error instanceof TarError) throw new BuildError(error.message, { cause: error });
    throw error;
  }
  await rejectLinkOut(folder);
  await removeIgnored(folder, context);
  for (const line of describeLfsPointers(lfsPointers.filter((path) => existsSync(locate(folder, path)))))
    context.onLine(line);
}

/** As if they had never been there: no buildpack sees them. */
async function removeIgnored(folder: string, context: StepContext): Promise<void> {
  if (!existsSync(join(folder, '.slugignore'))) return;
  const args = [REMOVE_IGNORED, folder];
  const { status } = await runStep({ program: process.execPath, args, cwd: folder, ...context });
  if (context.signal.aborted) throw new BuildError('The build took too long, and was stopped.');
  if (status !== 0) throw new BuildError('What .slugignore names can’t be taken out.');
}

/** @throws BuildError when something that is read for a build leads out of its folder */
async function rejectLinkOut(folder: string, paths?: readonly string[]): Promise<void> {
  const message = await findLinkOut(folder, paths);
  if (message !== undefined) throw new BuildError(message);
}

async function readProcfile(folder: string): Promise<Record<string, string>> {
  const file = join(folder, 'Procfile');
  // A buildpack may have made one.
  await rejectLinkOut(folder, ['Procfile']);
  if (!existsSync(file)) return {};
  try {
    const entries = parseProcfile(await readFile(file, 'utf8'));
    return Object.fromEntries(entries.map(({ type, command }) => [type, command]));
  } catch (error) {
    if (error instanceof ProcfileError) throw new BuildError(error.message, { cause: error });
    throw error;
  }
}
