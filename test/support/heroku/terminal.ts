import { spawn } from '@lydell/node-pty';

/** A program in a terminal of its own. */
export class Terminal {
  /** All that it has written. */
  output = '';
  /** Its exit status. */
  readonly exited: Promise<number>;
  private readonly terminal: ReturnType<typeof spawn>;

  constructor(
    command: string,
    args: readonly string[],
    { env, cwd }: { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
  ) {
    const { PATH = '' } = process.env;
    this.terminal = spawn(command, [...args], {
      cols: 200,
      rows: 50,
      cwd,
      env: { PATH, TERM: 'xterm', ...env },
    });
    this.terminal.onData((data) => {
      this.output += data;
    });
    this.exited = new Promise((resolve) => this.terminal.onExit(({ exitCode }) => resolve(exitCode)));
  }

  type(text: string): void {
    this.terminal.write(text);
  }
}
