/**
 * Lines that are written by one and read by any number of others, while they are written and afterwards. Of more than is kept the
 * last ones are there again at the end: they say how it ended.
 */
export class GrowingText {
  private readonly lines: string[] = [];
  private readonly charCountMax: number;
  private charCount = 0;
  private isOver = false;
  private waitingReaders: (() => void)[] = [];
  /** The last ones, when `lines` is full. */
  private last: string[] = [];
  private lastCharCount = 0;
  private leftOutCount = 0;
  private isFull = false;

  /** @param charCountMax what is kept from the beginning */
  constructor(charCountMax: number) {
    this.charCountMax = charCountMax;
  }

  /** Adds a line, without its newline. Behind what is kept from the beginning it is one of the last for a while, and may be cut. */
  append(line: string): void {
    const charCount = this.charCount + line.length + 1;
    if (this.isFull || charCount > this.charCountMax) {
      this.appendLast(line);
      return;
    }
    this.charCount = charCount;
    this.lines.push(line);
    this.notifyReaders();
  }

  /** There won't be more. */
  end(): void {
    this.lines.push(...this.endOfText());
    this.last = [];
    this.leftOutCount = 0;
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
    return [...this.lines, ...this.endOfText()].map((line) => `${line}\n`).join('');
  }

  private endOfText(): readonly string[] {
    if (this.leftOutCount === 0) return this.last;
    return [`[${this.leftOutCount} lines are left out here: this is more than is kept]`, ...this.last];
  }

  private appendLast(line: string): void {
    this.isFull = true;
    const cut = line.slice(0, LINE_CHARS_MAX);
    this.last.push(cut);
    this.lastCharCount += cut.length;
    while (this.lastCharCount > LAST_CHARS_MAX || this.last.length > LAST_LINES_MAX) {
      this.lastCharCount -= this.last.shift()?.length ?? 0;
      this.leftOutCount += 1;
    }
  }

  private notifyReaders(): void {
    for (const wake of this.waitingReaders.splice(0)) wake();
  }
}

/** Of the last lines of a text of which not all is kept. */
const LAST_CHARS_MAX = 50_000;
const LAST_LINES_MAX = 500;
const LINE_CHARS_MAX = 10_000;
