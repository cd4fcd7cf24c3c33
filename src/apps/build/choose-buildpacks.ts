/** Which buildpacks build an app, fetched and in their order. */
import { join } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import { redactUrl } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import type { BuildFolders, Buildpack } from './buildpacks/buildpack.ts';
import { parseBuildpackReference } from './buildpacks/buildpack-reference.ts';
import { ClassicBuildpack } from './buildpacks/classic-buildpack.ts';
import { fetchBuildpack } from './buildpacks/fetch-buildpack.ts';
import { listBuildpacks } from './buildpacks/listed-buildpacks.ts';
import { builtInBuildpack, detectBuildpacks } from './languages/languages.ts';
import { BuildError } from './steps/build-error.ts';
import type { BuildShell } from './steps/build-shell.ts';

interface BuildpackChoice {
  /** Those that were set for the app. */
  readonly installed: readonly string[];
  /** Where fetched ones go. */
  readonly work: string;
  /** What they may be fetched from. */
  readonly fetchPolicy: TargetPolicy;
}

/** @throws BuildError when one can't be had, or none takes the app */
export async function chooseBuildpacks(
  shell: BuildShell,
  folders: BuildFolders,
  { installed, work, fetchPolicy }: BuildpackChoice,
): Promise<Buildpack[]> {
  const { references, source } = await listBuildpacks(shell.folder, shell.config, installed);
  if (references.length === 0) return detectBuildpacks(shell, folders);
  const buildpacks: Buildpack[] = [];
  for (const [i, typed] of references.entries()) {
    const reference = parse(typed, source);
    if (reference.kind === 'built-in') {
      buildpacks.push(builtInBuildpack(reference.id));
      continue;
    }
    if (reference.kind !== 'folder') shell.heading(`Fetching buildpack ${redactUrl(reference.id)}`);
    const folder = await fetchBuildpack(reference, join(work, 'buildpacks', String(i)), shell, fetchPolicy);
    buildpacks.push(new ClassicBuildpack(reference.id, folder));
  }
  return buildpacks;
}

function parse(typed: string, source: string) {
  try {
    return parseBuildpackReference(typed);
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    throw new BuildError(`In ${source}: ${error.message}`, { cause: error });
  }
}
