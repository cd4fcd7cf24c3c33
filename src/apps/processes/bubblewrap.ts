/**
 * Optional isolation of dynos with bubblewrap: namespaces of users, processes, IPC and host name, the system's files for
 * reading only; the server's data, other dynos, temporary files and home folders are hidden. The network is shared with the
 * machine: web dynos have to be reachable.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { promisify } from 'node:util';

/** Wraps a program's command so that it runs sandboxed. */
export type SandboxCommand = (
  program: string,
  args: readonly string[],
) => { readonly program: string; readonly args: readonly string[] };

/** Without isolation. */
export const unsandboxed: SandboxCommand = (program, args) => ({ program, args });

export interface Isolation {
  /** Folders that no dyno shall see. */
  readonly hiddenFolders: readonly string[];
  /** Folders in these that dynos may read all the same: an interpreter in somebody's home, say. */
  readonly readableFolders: readonly string[];
}

/**
 * The default isolation: what holds others' secrets is hidden, but not the Node.js that runs this.
 * @param data the server's data folder
 */
export function defaultIsolation(
  data: string,
  home: string | undefined,
  readableFolders: readonly string[],
): Isolation {
  const hiddenFolders = [
    ...new Set(['/tmp', '/var/tmp', '/run', '/home', '/root', ...(home ? [home] : []), data]),
  ];
  const node = dirname(dirname(process.execPath));
  return {
    hiddenFolders,
    readableFolders: hiddenFolders.some((folder) => isInside(node, folder))
      ? [node, ...readableFolders]
      : readableFolders,
  };
}

/** @param home the dyno's own folder, all that it may write to */
export function bubblewrap({ hiddenFolders, readableFolders }: Isolation, home: string): SandboxCommand {
  const mounts = [
    ['--ro-bind', '/', '/'],
    ['--dev', '/dev'],
    ['--proc', '/proc'],
    // The outer ones first, or they would cover the inner.
    ...[...hiddenFolders].sort((a, b) => a.length - b.length).map((folder) => ['--tmpfs', folder]),
    ...readableFolders.map((folder) => ['--ro-bind-try', folder, folder]),
    ['--bind', home, home],
  ].flat();
  const namespaces = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts'];
  return (program, args) => {
    const innerArgs = ['/usr/bin/env', '--default-signal=TERM,HUP,INT,QUIT', program, ...args];
    const bwrapArgs = ['bwrap', '--die-with-parent', ...namespaces, ...mounts, '--', ...innerArgs];
    // Signals are for the dyno: bwrap itself stays, and exits with the dyno's status.
    return { program: '/bin/sh', args: ['-c', 'trap "" TERM HUP INT QUIT; exec "$0" "$@"', ...bwrapArgs] };
  };
}

/**
 * Wraps a program's command so that it runs in the sandbox of a dyno that is there, among its processes and without privileges.
 * @param pid bubblewrap's own, as the dyno was started
 * @param cwd where it begins
 * @returns undefined when the sandbox isn't there, or can't be entered
 */
export async function enterSandbox(pid: number, cwd: string): Promise<SandboxCommand | undefined> {
  // What bubblewrap has started first is in all of the namespaces.
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const inner = /^\d+/.exec(children)?.[0];
  if (inner === undefined) return undefined;
  const namespaces = ['--user', '--preserve-credentials', '--mount', '--pid', '--ipc', '--uts'];
  const unprivileged = ['setpriv', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
  // The folder of this process is another one, outside.
  const inFolder = ['/bin/sh', '-c', 'cd "$0" && exec "$@"', cwd];
  const enter = (program: string, args: readonly string[]): ReturnType<SandboxCommand> => ({
    program: 'nsenter',
    args: ['--target', inner, ...namespaces, '--', ...unprivileged, ...inFolder, program, ...args],
  });
  const { program, args } = enter('true', []);
  try {
    await promisify(execFile)(program, [...args], { timeout: 10_000 });
    return enter;
  } catch {
    return undefined;
  }
}

/** Why dynos can't be isolated here; undefined if they can. */
export async function isolationError(isolation: Isolation): Promise<string | undefined> {
  const { program, args } = bubblewrap(isolation, '/usr')('true', []);
  try {
    await promisify(execFile)(program, [...args], { timeout: 10_000 });
    return undefined;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return stderr.split('\n').at(-1) || String(error);
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
