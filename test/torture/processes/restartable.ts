/** A program that is killed, stopped and started again, always on the same ports and folder. */
import { waitWithTimeout } from '../../../src/common/wait-with-timeout.ts';
import { Program } from '../../support/program.ts';

/** A start that takes longer has failed. */
const START_TIMEOUT_MS = 60_000;
const ATTEMPTS = 8;
/** One that hasn't ended by then hangs: beside so much else a router may take a minute. */
const STOP_TIMEOUT_MS = 120_000;
/** The system ends a program that is killed within this time. */
const KILL_TIMEOUT_MS = 10_000;

export interface Restartable {
  readonly name: string;
  readonly args: readonly string[];
  /** Asked at each start. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly ready: RegExp;
  /** How long it may take to end when it is asked to; left out: two minutes. */
  readonly stopTimeoutMs?: number;
}

export class RestartableProgram {
  readonly name: string;
  private readonly options: Restartable;
  private program: Program | undefined;
  private readonly outputs: string[] = [];
  private changing: Promise<void> = Promise.resolve();
  kills = 0;
  /** How often it didn't end when it was asked to, and had to be killed: each with what it had printed. */
  readonly hangs: string[] = [];

  constructor(options: Restartable) {
    this.name = options.name;
    this.options = options;
  }

  get isRunning(): boolean {
    return this.program !== undefined && !this.program.hasExited;
  }

  /** The end of what it has printed, over all its lives. */
  get output(): string {
    return [...this.outputs.slice(-3), this.program?.stdout ?? '', this.program?.stderr ?? '']
      .join('\n')
      .slice(-6_000);
  }

  get stdout(): string {
    return this.program?.stdout ?? '';
  }

  /** It ended by itself: a crash. */
  get crash(): string | undefined {
    const { program } = this;
    if (!program?.hasExited || this.isMeantToEnd) return undefined;
    return `${this.name} ended by itself with ${program.exitStatus}: ${program.stderr.slice(-1_500)}`;
  }

  private isMeantToEnd = true;

  /** Starts it, unless it runs; tries again as a process supervisor does. */
  start(): Promise<void> {
    return this.inTurn(() => this.launch());
  }

  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.inTurn(() => this.stop(signal));
  }

  /** Ends it, does something, and starts it again: nobody else does meanwhile. */
  whileDown(signal: 'SIGKILL' | 'SIGTERM', work: () => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      await this.stop(signal);
      await work();
      await this.launch();
    });
  }

  private async launch(): Promise<void> {
    for (let attempt = 1; !this.isRunning; attempt++) {
      const program = new Program(process.execPath, this.options.args, { env: this.options.env() });
      this.program = program;
      try {
        await program.waitForOutput(this.options.ready, START_TIMEOUT_MS);
        this.isMeantToEnd = false;
        return;
      } catch (error) {
        await program.stop('SIGKILL');
        this.keepOutput();
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  private async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.isMeantToEnd = true;
    if (signal === 'SIGKILL') this.kills++;
    // One that is frozen doesn't take SIGTERM.
    const { program } = this;
    program?.child.kill('SIGCONT');
    if (program && !(await endsWithin(program, signal, this.options.stopTimeoutMs ?? STOP_TIMEOUT_MS))) {
      this.hangs.push(`${this.name} didn't end at ${signal}: ${program.stderr.slice(-1_500)}`);
      await endsWithin(program, 'SIGKILL', KILL_TIMEOUT_MS);
    }
    this.keepOutput();
  }

  /** Stops or continues it, without ending it. */
  freeze(frozen: boolean): void {
    if (this.isRunning) this.program?.child.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  private keepOutput(): void {
    if (this.program)
      this.outputs.push(`${this.program.stdout.slice(-500)}${this.program.stderr.slice(-3_000)}`);
    this.program = undefined;
  }

  /** Several faults may want something of it at once. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.changing.then(work);
    this.changing = done.catch(() => {});
    return done;
  }
}

/** Has it ended so long after a signal? */
async function endsWithin(program: Program, signal: NodeJS.Signals, ms: number): Promise<boolean> {
  await waitWithTimeout(ms, program.stop(signal));
  return program.hasExited;
}
