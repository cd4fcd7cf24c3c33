/** The files of slugs, one gzipped tar each, and the folders that dynos run in. */
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import { bubblewrap, type Isolation } from '../processes/bubblewrap.ts';
import type { Environment } from '../processes/config/dyno-env.ts';
import { killByVariable } from '../processes/kill-daemonized.ts';
import type { Workspace } from '../processes/supervisor.ts';
import { packFolder, unpackFolder } from './tar.ts';

/** What a dyno's shell runs before its command: the app's own profile, as on Heroku. */
export const PROFILE_SCRIPT =
  'for f in .profile.d/*.sh; do [ -r "$f" ] && . "./$f"; done; unset f; [ -r .profile ] && . ./.profile';

/** The only user of its folder. {@link SlugFiles.open} comes first; ids are the slugs' and the dynos' own, and become names of files. */
export class SlugFiles {
  private readonly slugs: string;
  private readonly dynos: string;
  private readonly work: string;

  private readonly isolation: Isolation | undefined;

  /**
   * @param folder of its own
   * @param isolation of the dynos; undefined: none
   */
  constructor(folder: string, isolation?: Isolation) {
    this.isolation = isolation;
    this.slugs = join(folder, 'slugs');
    this.dynos = join(folder, 'dynos');
    this.work = join(folder, 'work');
  }

  /**
   * Makes the folders, and removes stale files of a process that died, when the builds that it had under way have ended.
   * @param running ids of dynos that run
   */
  async open(running: ReadonlySet<string> = new Set()): Promise<void> {
    for (const id of await readdir(this.dynos).catch(() => []))
      if (!running.has(id)) await rm(join(this.dynos, id), { recursive: true, force: true });
    for (const build of await readdir(this.work).catch(() => [])) await killByVariable(buildVariable(build));
    await rm(this.work, { recursive: true, force: true });
    for (const folder of [this.slugs, this.dynos, this.work])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  }

  has(id: string): boolean {
    return existsSync(this.path(id));
  }

  /** Where a slug is, or would be: a gzipped tar. */
  path(id: string): string {
    return join(this.slugs, `${id}.tgz`);
  }

  /** Packs a folder as a slug: whole, or not at all, and on the disk before a release names it. @returns bytes of the packed slug */
  async pack(id: string, folder: string): Promise<number> {
    const temporary = join(this.work, `${id}.tgz`);
    await replaceFileWith(this.path(id), () => packFolder(folder, temporary), { temporary });
    return (await stat(this.path(id))).size;
  }

  /** Another slug of the same files: both can be removed without the other. */
  async copy(id: string, copyId: string): Promise<void> {
    const temporary = join(this.work, `${copyId}.tgz`);
    // A second name of the same file needs no space, where the file system has them.
    const copy = () => link(this.path(id), temporary).catch(() => copyFile(this.path(id), temporary));
    await replaceFileWith(this.path(copyId), copy, { temporary });
  }

  /** It is no error when there is none. */
  async remove(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /**
   * An empty folder for a build. Remove it: where there is one, the next server takes it that the build still runs.
   * @param build its id
   */
  async createWorkFolder(build: string): Promise<string> {
    const folder = join(this.work, build);
    await mkdir(folder, { mode: 0o700 });
    return folder;
  }

  /** A fresh copy of a slug in a folder of its own, for one dyno. */
  async createWorkspace(slug: string | null, dynoId: string): Promise<Workspace> {
    const workspace = this.workspaceOf(dynoId);
    const { folder } = workspace;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(join(folder, '..', 'tmp'), { mode: 0o700 });
    try {
      if (slug !== null) await unpackFolder(this.path(slug), folder);
    } catch (error) {
      await workspace.remove();
      throw error;
    }
    return workspace;
  }

  /** The folder that a dyno has. */
  workspaceOf(dynoId: string): Workspace {
    const home = join(this.dynos, dynoId);
    const folder = join(home, 'app');
    const remove = () => rm(home, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    const sandboxCommand = this.isolation && bubblewrap(this.isolation, home);
    return { folder, env: { HOME: folder, TMPDIR: join(home, 'tmp') }, sandboxCommand, remove };
  }
}

/** What all processes of a build have in their environment, and no others. @param build its id */
export function buildVariable(build: string): string {
  return `REQUEST_ID=${build}`;
}

/**
 * The part of this machine's environment that dynos of slugs get: enough to find programs, nothing that may be a secret of
 * the server.
 */
export function hostEnvironment(environment: Environment): Environment {
  const names = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'USER', 'LOGNAME', 'SHELL'];
  return Object.fromEntries(
    names.filter((name) => environment[name] !== undefined).map((name) => [name, environment[name]]),
  );
}
