/**
 * A buildpack as a folder of programs: `bin/detect BUILD`, `bin/compile BUILD CACHE ENV`, `bin/release BUILD`, and a file
 * `export` with variables for the buildpacks after it (Heroku's Buildpack API). Its programs get the config vars as files
 * alone.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { redactUrl } from '../../../logs/drains/options/drain-record.ts';
import { BuildError } from '../steps/build-error.ts';
import type { BuildShell } from '../steps/build-shell.ts';
import { runStep } from '../steps/build-step.ts';
import type { BuildFolders, Buildpack } from './buildpack.ts';
import { parseDefaultProcessTypes } from './default-process-types.ts';

/** Variables of the shell itself. */
const OF_THE_SHELL = /^(_|PWD|OLDPWD|SHLVL|BASH.*|HOME|TMPDIR)$/;

export class ClassicBuildpack implements Buildpack {
  readonly id: string;
  private readonly folder: string;
  private name: string;

  /** @param id what it is installed by */
  constructor(id: string, folder: string) {
    this.id = id;
    this.folder = folder;
    this.name = redactUrl(id);
  }

  async detect(shell: BuildShell): Promise<string | undefined> {
    const program = join(this.folder, 'bin', 'detect');
    if (!existsSync(program)) return 'custom';
    const { status, stdout } = await this.step(shell, program, [shell.folder], true);
    if (status !== 0) return undefined;
    this.name = stdout.trim().split('\n')[0] || 'custom';
    return this.name;
  }

  async compile(shell: BuildShell, { cache, env }: BuildFolders): Promise<void> {
    const program = join(this.folder, 'bin', 'compile');
    const { status } = await this.step(shell, program, [shell.folder, cache, env], false);
    if (status !== 0) throw new BuildError(`Failed to compile ${this.name} app (status ${status}).`);
    await this.readExports(shell);
  }

  async release(shell: BuildShell): Promise<Record<string, string>> {
    const program = join(this.folder, 'bin', 'release');
    if (!existsSync(program)) return {};
    const { stdout } = await this.step(shell, program, [shell.folder], true);
    return parseDefaultProcessTypes(stdout);
  }

  /** Hands on what its file `export` sets. */
  private async readExports(shell: BuildShell): Promise<void> {
    const file = join(this.folder, 'export');
    if (!existsSync(file)) return;
    const script = 'source "$1" >&2; env -0';
    const { status, stdout } = await this.step(shell, 'bash', ['-c', script, 'export', file], true);
    if (status !== 0)
      throw new BuildError(`The file export of the buildpack ${this.name} fails (status ${status}).`);
    const before = shell.bareEnv;
    const variables = stdout
      .split('\0')
      .map((entry): [string, string] => {
        const at = entry.indexOf('=');
        return [entry.slice(0, Math.max(at, 0)), entry.slice(at + 1)];
      })
      .filter(([name, value]) => name !== '' && !OF_THE_SHELL.test(name) && before[name] !== value);
    shell.export(Object.fromEntries(variables));
  }

  private async step(shell: BuildShell, program: string, args: readonly string[], capturesStdout: boolean) {
    const result = await runStep({
      program,
      args,
      cwd: shell.folder,
      env: shell.bareEnv,
      capturesStdout,
      onLine: (line) => shell.raw(line),
      signal: shell.signal,
    });
    shell.throwIfAborted();
    return result;
  }
}
