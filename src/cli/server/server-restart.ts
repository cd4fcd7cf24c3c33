import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { isProcessRunning } from '../../common/processes/process-identity.ts';
import { dataFolders, readLocalServer } from '../api-client.ts';
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
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const server = dataFolders()
        .map((folder) => readLocalServer(folder))
        .find((found) => found !== undefined);
      if (!server?.local)
        throw new TailraceError(
          'not_found',
          'No server runs on this machine with the data folder that TAILRACE_DATA names, or the usual one: start one with `tailrace serve`.',
        );
      const { pid, folder, takesRestart } = server.local;
      if (!takesRestart)
        throw new TailraceError(
          'conflict',
          'Only a server that was started by `tailrace serve`, of this version or later, can be restarted like this: stop it, and start it again.',
        );
      process.kill(pid, 'SIGUSR2');
      const startMs = performance.now();
      const next = await waitForNext(folder, pid);
      const seconds = Number(((performance.now() - startMs) / 1_000).toFixed(1));
      const result = { pid: next, before: pid, seconds };
      printResult(
        options.json,
        result,
        () => `Restarted: process ${next} serves instead of ${pid} (${seconds} s)`,
      );
    });
}

/** Resolves with the pid of another server when it serves. */
async function waitForNext(folder: string, before: number): Promise<number> {
  for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += POLL_MS) {
    await wait(POLL_MS);
    const local = readLocalServer(folder)?.local;
    if (local && local.pid !== before && local.takesRestart) return local.pid;
    if (!local && !isProcessRunning(before)) break;
  }
  throw new TailraceError(
    'unavailable',
    'The server was not restarted, and its own log says why. If it still runs, it goes on as it was.',
  );
}
