/**
 * Optional isolation of dynos with bubblewrap: namespaces of users, processes, IPC and host name, the system's files for
 * reading only; the server's data, other dynos, temporary files and home folders are hidden. The network is shared with the
 * machine: web dynos have to be reachable.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from './config/dyno-env.ts';
import { closingDescriptors, closingDescriptorsOf } from './inherited-descriptors.ts';
import { outerEnvironment, RESTORE_ENVIRONMENT } from './sandbox-environment.ts';

/** A program with its arguments and all of its environment. */
export interface ProgramCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Environment;
}

/** Wraps a program's command so that it runs sandboxed. */
export type SandboxCommand = (command: ProgramCommand) => ProgramCommand;

/** Without isolation. It has no open files of this process all the same. */
export const unsandboxed: SandboxCommand = ({ program, args, env }) => ({
  ...closingDescriptorsOf(program, args),
  env,
});

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
  const bwrap = ['bwrap', '--die-with-parent', ...namespaces, ...mounts, '--'];
  const inner = ['/usr/bin/env', '--default-signal=TERM,HUP,INT,QUIT'];
  const restore = ['/bin/sh', '-c', `${RESTORE_ENVIRONMENT}; exec "$0" "$@"`];
  return ({ program, args, env }) => ({
    // Signals are for the dyno: bwrap itself stays, and exits with the dyno's status.
    ...closingDescriptors([...bwrap, ...inner, ...restore, program, ...args], {
      before: 'trap "" TERM HUP INT QUIT',
    }),
    env: outerEnvironment(env),
  });
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
  const inFolder = ['/bin/sh', '-c', `cd "$0" && ${RESTORE_ENVIRONMENT} && exec "$@"`, cwd];
  const nsenter = ['nsenter', '--target', inner, ...namespaces, '--', ...unprivileged, ...inFolder];
  const enter: SandboxCommand = ({ program, args, env }) => ({
    ...closingDescriptors([...nsenter, program, ...args]),
    env: outerEnvironment(env),
  });
  try {
    await runTrue(enter);
    return enter;
  } catch {
    return undefined;
  }
}

/** Why dynos can't be isolated here; undefined if they can. */
export async function isolationError(isolation: Isolation): Promise<string | undefined> {
  try {
    await runTrue(bubblewrap(isolation, '/usr'));
    return undefined;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return stderr.split('\n').at(-1) || String(error);
  }
}

/** Rejects when the sandbox can't be had. */
async function runTrue(sandboxCommand: SandboxCommand): Promise<void> {
  const { program, args, env } = sandboxCommand({
    program: 'true',
    args: [],
    env: { PATH: process.env.PATH },
  });
  await promisify(execFile)(program, [...args], { env: { ...env }, timeout: 10_000 });
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
