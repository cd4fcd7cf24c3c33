/** Lines that are written by one and read by any number of others, while they are written and afterwards. */
export class GrowingText {
  private readonly lines: string[] = [];
  private readonly charCountMax: number;
  private charCount = 0;
  private isOver = false;
  private waitingReaders: (() => void)[] = [];

  /** @param charCountMax what comes after that is left out */
  constructor(charCountMax: number) {
    this.charCountMax = charCountMax;
  }

  append(line: string): void {
    this.charCount += line.length + 1;
    if (this.charCount > this.charCountMax) return;
    this.lines.push(line);
    this.notifyReaders();
  }

  /** There won't be more. */
  end(): void {
    this.isOver = true;
    this.notifyReaders();
  }

  /** Every line from the first on, each with its newline, until the end. */
  async *read(): AsyncGenerator<string> {
    for (let at = 0; ; ) {
      while (at < this.lines.length) yield `${this.lines[at++]}\n`;
      if (this.isOver) return;
      await new Promise<void>((resolve) => this.waitingReaders.push(resolve));
    }
  }

  /** All of it so far. */
  toString(): string {
    return this.lines.map((line) => `${line}\n`).join('');
  }

  private notifyReaders(): void {
    for (const wake of this.waitingReaders.splice(0)) wake();
  }
}
