/**
 * Optional isolation of dynos with bubblewrap: namespaces of users, processes, IPC and host name, the system's files for
 * reading only, and nothing to be seen of the server's data, other dynos, temporary files and home folders. The network
 * stays the machine's: web dynos have to be reached.
 */
import { execFile } from 'node:child_process';
import { dirname, sep } from 'node:path';
import { promisify } from 'node:util';

/** What is run instead of a program, so that it runs isolated. */
export type Wrap = (
  program: string,
  args: readonly string[],
) => { readonly program: string; readonly args: readonly string[] };

/** Without isolation. */
export const plain: Wrap = (program, args) => ({ program, args });

export interface Isolation {
  /** Folders that no dyno shall see. */
  readonly hidden: readonly string[];
  /** Folders in these that dynos may read all the same: an interpreter in somebody's home, say. */
  readonly readable: readonly string[];
}

/**
 * The usual isolation: what holds others' secrets is hidden, but not the Node.js that runs this.
 * @param data the server's data folder
 */
export function isolationOf(data: string, home: string | undefined, readable: readonly string[]): Isolation {
  const hidden = [...new Set(['/tmp', '/var/tmp', '/run', '/home', '/root', ...(home ? [home] : []), data])];
  const node = dirname(dirname(process.execPath));
  return { hidden, readable: hidden.some((folder) => within(node, folder)) ? [node, ...readable] : readable };
}

/** @param home the dyno's own folder, all that it may write to */
export function bubblewrap({ hidden, readable }: Isolation, home: string): Wrap {
  const mounts = [
    ['--ro-bind', '/', '/'],
    ['--dev', '/dev'],
    ['--proc', '/proc'],
    // The outer ones first, or they would cover the inner.
    ...[...hidden].sort((a, b) => a.length - b.length).map((folder) => ['--tmpfs', folder]),
    ...readable.map((folder) => ['--ro-bind-try', folder, folder]),
    ['--bind', home, home],
  ].flat();
  const namespaces = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts'];
  return (program, args) => {
    const inner = ['/usr/bin/env', '--default-signal=TERM,HUP,INT,QUIT', program, ...args];
    const outer = ['bwrap', '--die-with-parent', ...namespaces, ...mounts, '--', ...inner];
    // Signals are for the dyno: bwrap itself stays, and says how the dyno has ended.
    return { program: '/bin/sh', args: ['-c', 'trap "" TERM HUP INT QUIT; exec "$0" "$@"', ...outer] };
  };
}

/** Why dynos can't be isolated here; undefined if they can. */
export async function isolationTrouble(isolation: Isolation): Promise<string | undefined> {
  const { program, args } = bubblewrap(isolation, '/usr')('true', []);
  try {
    await promisify(execFile)(program, [...args], { timeout: 10_000 });
    return undefined;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return said.split('\n').at(-1) || String(error);
  }
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
