/** Commands of `tailrace` in a process that stays: a tenth of the processor time of one of their own. */
import { join } from 'node:path';
import { CommandSession } from './command-session.ts';

const SESSION = join(import.meta.dirname, 'tailrace-session.mjs');
/** They go on, have programs of their own, or hear signals. */
const OWN_PROCESS = /^(serve|start|ship|tail|migrate|run|local|open|psql|pg:psql)\b/;
/** What Node.js and the C library read when they start, and what is set for all requests of a process. */
const FOR_A_START = /^(NODE_|LD_|LC_|LANG|TZ$)|proxy$/i;
const TAIL = /^(-t|-f|--tail|--follow)$/;

let session: CommandSession | undefined;

interface Command {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The names in `env` that the test has set. */
  readonly set: readonly string[];
  readonly cwd: string;
}

/** Runs it, unless it has to be a process of its own, or another one runs: then undefined. */
export function runInSession(
  tailrace: string,
  command: Command,
): ReturnType<CommandSession['run']> | undefined {
  const { args, env, set, cwd } = command;
  if (OWN_PROCESS.test(args[0] ?? '') || args.some((arg) => TAIL.test(arg))) return undefined;
  if (set.some((name) => FOR_A_START.test(name))) return undefined;
  if (session?.isBusy) return undefined;
  if (!session || session.hasEnded) session = new CommandSession(SESSION, [tailrace], { env: {} });
  return session.run(args, { env, cwd });
}

/** The next command begins in a new process. */
export function endTailraceSession(): void {
  session?.close();
}
