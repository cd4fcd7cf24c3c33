/** A program that is killed, stopped and started again, always on the same ports and folder. */
import { Program } from '../../support/program.ts';

/** A start that takes longer has failed. */
const START_TIMEOUT_MS = 60_000;
const ATTEMPTS = 8;

export interface Restartable {
  readonly name: string;
  readonly args: readonly string[];
  /** Asked at each start. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly ready: RegExp;
}

export class RestartableProgram {
  readonly name: string;
  private readonly options: Restartable;
  private program: Program | undefined;
  private readonly outputs: string[] = [];
  private changing: Promise<void> = Promise.resolve();
  kills = 0;

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
    this.program?.child.kill('SIGCONT');
    await this.program?.stop(signal);
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
