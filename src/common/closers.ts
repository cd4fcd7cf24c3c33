/** What was opened is closed in the reverse order. */
export class Closers {
  private readonly closers: (() => Promise<void> | void)[] = [];

  /** Something was opened; `closer` closes it. */
  add(closer: () => Promise<void> | void): void {
    this.closers.push(closer);
  }

  /** Closes all, one after the other, once. @throws what a closer throws; what was opened before that isn't closed then */
  async close(): Promise<void> {
    for (const closer of this.closers.splice(0).reverse()) await closer();
  }
}
