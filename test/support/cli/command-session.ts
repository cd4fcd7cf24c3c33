/** A process that stays and runs commands one after the other, so that what a start takes is spent once. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

interface SessionOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a session answers: `isLast` when the command has ended the process. */
interface Answer {
  readonly status: number;
  readonly isLast?: boolean;
}

export class CommandSession {
  private readonly child: ChildProcess;
  private readonly ready: Promise<unknown>;
  /** Ends by itself with the process that started it, which it doesn't hold up. */
  hasEnded = false;
  isBusy = false;

  /** @param file a module that says `ready`, and then answers each message with an `Answer`, behind the mark in both of its outputs */
  constructor(file: string, args: readonly string[], { env, cwd }: SessionOptions) {
    this.child = fork(file, args, {
      env,
      cwd,
      execArgv: ['--no-deprecation'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.ready = answerOf(this.child);
    this.ready.catch(() => {});
    this.child.once('exit', () => {
      this.hasEnded = true;
    });
    this.child.unref();
    this.child.channel?.unref();
  }

  /** Runs a command to its end; only when it isn't busy. */
  async run(args: readonly string[], more: object = {}): Promise<CommandResult> {
    this.isBusy = true;
    try {
      await this.ready;
      const mark = `\0${randomUUID()}\0`;
      const outputs = [this.child.stdout, this.child.stderr].map((stream) => textBefore(stream!, mark));
      const answer = answerOf<Answer>(this.child);
      this.child.send({ ...more, args, mark });
      const [{ status, isLast }, stdout, stderr] = await Promise.all([answer, ...outputs]);
      if (isLast) this.close();
      return { status, stdout, stderr };
    } finally {
      this.isBusy = false;
    }
  }

  close(): void {
    this.hasEnded = true;
    this.child.kill('SIGKILL');
  }
}

/** What comes until the mark does. */
function textBefore(stream: Readable, mark: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const onText = (chunk: string): void => {
      text += chunk;
      // Behind a mark comes nothing until the next command.
      if (!text.includes(mark)) return;
      stream.off('data', onText);
      resolve(text.slice(0, text.indexOf(mark)));
    };
    stream.setEncoding('utf8').on('data', onText);
  });
}

/** The next message of a process; fails when it ends. */
function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`${child.spawnargs[2]} has ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
  });
}
