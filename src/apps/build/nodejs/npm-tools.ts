/**
 * Programs of the npm registry that builds need (runtimes, package managers): fetched once with the server's npm, and kept in a
 * folder of all apps. npm checks each against the hash that the registry has for it.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import { keepFolder, removeOldFolders } from '../../../common/files/kept-folders.ts';
import { BuildError, throwIfStopped } from '../steps/build-error.ts';
import { runStep } from '../steps/build-step.ts';

/** So long the newest version of a range counts as the newest. */
const RESOLVED_FOR_MS = 24 * 3_600_000;
/** Programs that are kept, the last used ones. */
const TOOLS_MAX = 20;

export interface NpmTool {
  readonly version: string;
  /** Its `node_modules/.bin` has the programs. Not to be changed: all apps use it. */
  readonly folder: string;
}

export class NpmTools {
  private readonly folder: string;
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly signal: AbortSignal;

  /** @param env of the server: what an app has set doesn't decide what other apps get */
  constructor(folder: string, env: Readonly<Record<string, string | undefined>>, signal: AbortSignal) {
    this.folder = join(folder, 'npm');
    this.env = env;
    this.signal = signal;
  }

  /**
   * A package of a version or range, with its programs.
   * @throws BuildError when there is none, or the registry can't be reached
   */
  async get(name: string, range: string): Promise<NpmTool> {
    await mkdir(join(this.folder, 'resolved'), { recursive: true, mode: 0o700 });
    const version = semver.valid(range) ?? (await this.resolve(name, range));
    const folder = join(this.folder, `${fileNameOf(name)}@${version}`);
    if (!existsSync(folder)) await this.install(name, version, folder);
    const now = new Date();
    await utimes(folder, now, now);
    return { version, folder };
  }

  /** The newest version of a range. */
  private async resolve(name: string, range: string): Promise<string> {
    const memo = join(this.folder, 'resolved', encodeURIComponent(`${name}@${range}`).slice(0, 200));
    const known = await readFile(memo, 'utf8').catch(() => undefined);
    if (known !== undefined && Date.now() - (await stat(memo)).mtimeMs < RESOLVED_FOR_MS) return known;
    const { status, stdout } = await this.npm(['view', name, 'versions', '--json'], this.folder, true);
    if (status !== 0) {
      if (known !== undefined) return known;
      throw new BuildError(
        `${name} ${range} can't be fetched: the npm registry can't be reached from the server (npm view ${name}).`,
      );
    }
    const versions = [(JSON.parse(stdout) as string | string[]) ?? []].flat();
    const newest = semver.maxSatisfying(versions, range);
    if (newest === null)
      throw new BuildError(
        `There is no ${name} ${range} in the npm registry: write another version, and commit.`,
      );
    await writeFile(memo, newest);
    return newest;
  }

  private async install(name: string, version: string, folder: string): Promise<void> {
    const unfinished = join(this.folder, `.${randomUUID()}`);
    await mkdir(unfinished, { mode: 0o700 });
    try {
      await writeFile(join(unfinished, 'package.json'), '{"private":true}');
      const flags = ['--no-audit', '--no-fund', '--no-package-lock', '--no-save', '--ignore-scripts'];
      const { status } = await this.npm(['install', ...flags, `${name}@${version}`], unfinished, false);
      if (status !== 0)
        throw new BuildError(
          `${name} ${version} can't be fetched from the npm registry: does this version exist?`,
        );
      // Another build may have been first.
      await keepFolder(unfinished, folder);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    await removeOldFolders(this.folder, TOOLS_MAX, (name) => name.includes('@'));
  }

  private async npm(args: readonly string[], cwd: string, capturesStdout: boolean) {
    const lines: string[] = [];
    const { env, signal } = this;
    const result = await runStep({
      program: 'npm',
      args: [...args, '--cache', join(this.folder, 'cache')],
      cwd,
      env,
      capturesStdout,
      signal,
      onLine: (line) => lines.push(line),
    });
    throwIfStopped(signal);
    return result;
  }
}

function fileNameOf(name: string): string {
  return name.replace(/^@/, '').replace('/', '+');
}
