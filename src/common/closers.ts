/** What was opened is closed in the reverse order. */
export class Closers {
  private readonly closers: (() => Promise<void> | void)[] = [];

  /** Something was opened; `closer` closes it. */
  add(closer: () => Promise<void> | void): void {
    this.closers.push(closer);
  }

  /** Closes all, one after the other, once, also when one of them throws. @throws what the first of these has thrown */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const closer of this.closers.splice(0).reverse())
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    if (failures.length > 0) throw failures[0];
  }
}
