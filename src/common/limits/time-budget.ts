/**
 * How long something that holds up the event loop may take together: so many milliseconds in a window, and then nothing more of it until the
 * window is over. By the clock: what has to wait for a processor counts as well, so it is no small share.
 */
export class TimeBudget {
  private readonly budgetMs: number;
  private readonly windowMs: number;
  private windowEndMs = 0;
  private spentMs = 0;

  constructor({ budgetMs, windowMs }: { readonly budgetMs: number; readonly windowMs: number }) {
    this.budgetMs = budgetMs;
    this.windowMs = windowMs;
  }

  /** @param nowMs as `performance.now()` has it */
  isSpent(nowMs: number): boolean {
    return this.spentMs >= this.budgetMs && nowMs < this.windowEndMs;
  }

  /** Something took from one time until another one, as `performance.now()` has them. */
  spend(fromMs: number, toMs: number): void {
    if (fromMs >= this.windowEndMs) {
      this.windowEndMs = fromMs + this.windowMs;
      this.spentMs = 0;
    }
    this.spentMs += toMs - fromMs;
  }

  /** Nothing more until a whole window has passed: it failed. */
  exhaust(nowMs: number): void {
    this.windowEndMs = nowMs + this.windowMs;
    this.spentMs = this.budgetMs;
  }
}
