/**
 * Buildpacks: a folder with `bin/detect BUILD`, `bin/compile BUILD CACHE ENV` and `bin/release BUILD`. There are some in
 * the package, and apps may name others in the config var `BUILDPACK_URL`: folders on this machine, or git repositories.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { PACKAGE_ROOT } from '../../common/package-info.ts';
import type { BuildStep } from './build-step.ts';
import { runStep } from './build-step.ts';

export interface Buildpack {
  readonly folder: string;
  /** What `bin/detect` printed: `Node.js`. */
  readonly name: string;
}

/** In the order of detection. */
const BUILT_IN = ['python', 'nodejs', 'procfile'];

/** A build that failed for a reason its owner can fix. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

/** What all programs of a build have in common. */
export type StepContext = Pick<BuildStep, 'env' | 'onLine' | 'signal'>;

/**
 * The first built-in buildpack that takes the app.
 * @throws BuildError when none does
 */
export async function detectBuildpack(build: string, context: StepContext): Promise<Buildpack> {
  for (const name of BUILT_IN) {
    const folder = join(PACKAGE_ROOT, 'buildpacks', name);
    const found = await detect(folder, build, context);
    if (found) return found;
  }
  throw new BuildError(
    'No buildpack takes this app: add a Procfile ("web: node server.js"), a package.json or a requirements.txt to its top folder, and commit it.',
  );
}

/**
 * The buildpack at a folder or git URL (`https://…#branch`).
 * @param cloneFolder where a repository is copied to
 * @throws BuildError when it can't be fetched, or doesn't take the app
 */
export async function fetchBuildpack(
  url: string,
  cloneFolder: string,
  build: string,
  context: StepContext,
): Promise<Buildpack> {
  let folder = url;
  if (!isAbsolute(url)) {
    const [address, branch] = url.split('#');
    if (!/^(https?|git|ssh|file):\/\//.test(address))
      throw new BuildError(
        `BUILDPACK_URL must be a folder or the URL of a git repository, not "${address}".`,
      );
    const args = [
      'clone',
      '--quiet',
      '--depth',
      '1',
      ...(branch ? ['--branch', branch] : []),
      '--',
      address,
      cloneFolder,
    ];
    const { status } = await runStep({ program: 'git', args, cwd: build, ...context });
    if (status !== 0) throw new BuildError('The buildpack can’t be fetched: check BUILDPACK_URL.');
    folder = cloneFolder;
  }
  if (!existsSync(join(folder, 'bin', 'compile')))
    throw new BuildError('There is no bin/compile in what BUILDPACK_URL names: that is no buildpack.');
  const found = await detect(folder, build, context);
  if (!found)
    throw new BuildError('The buildpack of BUILDPACK_URL does not take this app (bin/detect failed).');
  return found;
}

/** Runs `bin/compile`. @throws BuildError when it fails */
export async function compileApp(
  { folder, name }: Buildpack,
  folders: { build: string; cache: string; env: string },
  context: StepContext,
): Promise<void> {
  const { build, cache, env } = folders;
  const program = join(folder, 'bin', 'compile');
  const { status } = await runStep({ program, args: [build, cache, env], cwd: build, ...context });
  if (context.signal.aborted) throw new BuildError('The build took too long, and was stopped.');
  if (status !== 0) throw new BuildError(`Failed to compile ${name} app (status ${status}).`);
}

/** The process types that `bin/release` gives, for apps without a Procfile. */
export async function defaultProcessTypes({ folder }: Buildpack, build: string, context: StepContext) {
  const program = join(folder, 'bin', 'release');
  if (!existsSync(program)) return {};
  const { stdout } = await runStep({ program, args: [build], cwd: build, capturesStdout: true, ...context });
  return parseDefaultProcessTypes(stdout);
}

/** Of the YAML only what the contract promises: `default_process_types:` and indented `type: command` lines. */
function parseDefaultProcessTypes(yaml: string): Record<string, string> {
  const lines = yaml.split('\n');
  const start = lines.findIndex((line) => /^default_process_types:\s*$/.test(line));
  if (start === -1) return {};
  const types = new Map<string, string>();
  for (const line of lines.slice(start + 1)) {
    const [, type, rest] = /^\s+["']?([\w-]+)["']?:(.*)$/s.exec(line) ?? [];
    const command = rest?.trim();
    if (type === undefined || !command) break;
    types.set(type, command.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return Object.fromEntries(types);
}

async function detect(folder: string, build: string, context: StepContext): Promise<Buildpack | undefined> {
  const program = join(folder, 'bin', 'detect');
  if (!existsSync(program)) return { folder, name: 'custom' };
  const { status, stdout } = await runStep({
    program,
    args: [build],
    cwd: build,
    capturesStdout: true,
    ...context,
  });
  return status === 0 ? { folder, name: stdout.trim().split('\n')[0] || 'custom' } : undefined;
}
