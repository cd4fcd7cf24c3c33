import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { isProcessRunning } from '../../common/processes/process-identity.ts';
import { dataFolders, readLocalServer, type ServerAddress } from '../api-client.ts';
import { printResult } from '../format.ts';

const TIMEOUT_MS = 90_000;
const POLL_MS = 50;

/** `tailrace server:restart`: another process serves, of the version that is installed now; dynos go on. */
export function serverRestartCommand(program: Command): void {
  program
    .command('server:restart')
    .description(
      'restart the server of this machine, also into a new version; dynos go on, and nobody is refused',
    )
    .option('-j, --json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const server = await findRestartable();
      const { pid, folder, restartFailed } = server;
      process.kill(pid, 'SIGUSR2');
      const startMs = performance.now();
      const next = await waitForNext(folder, pid, restartFailed);
      const seconds = Number(((performance.now() - startMs) / 1_000).toFixed(1));
      const result = { pid: next, before: pid, seconds };
      printResult(
        options.json,
        result,
        () => `Restarted: process ${next} serves instead of ${pid} (${seconds} s)`,
      );
    });
}

type LocalServer = NonNullable<ServerAddress['local']>;

/** The server of this machine, as soon as it can be restarted. @throws TailraceError */
async function findRestartable(): Promise<LocalServer> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const local = dataFolders()
      .map((folder) => readLocalServer(folder))
      .find((found) => found !== undefined)?.local;
    if (!local)
      throw new TailraceError(
        'not_found',
        'No server runs on this machine with the data folder that TAILRACE_DATA names, or the usual one: start one with `tailrace serve`.',
      );
    if (local.takesRestart) return local;
    if (!local.isStarting || waitedMs >= TIMEOUT_MS)
      throw new TailraceError(
        'conflict',
        'Only a server that was started by `tailrace serve`, of this version or later, can be restarted like this: stop it, and start it again.',
      );
    await wait(POLL_MS);
  }
}

/** Resolves with the pid of another server when it serves. @throws TailraceError when there is none */
async function waitForNext(
  folder: string,
  before: number,
  failedBefore: string | undefined,
): Promise<number> {
  for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += POLL_MS) {
    await wait(POLL_MS);
    const local = readLocalServer(folder)?.local;
    if (local && local.pid !== before && local.takesRestart) return local.pid;
    const failed = local?.pid === before ? local.restartFailed : undefined;
    if (failed !== undefined && failed !== failedBefore)
      throw new TailraceError(
        'unavailable',
        'The next server could not start, and the one before goes on: its log says why.',
      );
    if (!local && !isProcessRunning(before)) break;
  }
  throw new TailraceError(
    'unavailable',
    'The server was not restarted, and its own log says why. If it still runs, it goes on as it was.',
  );
}
