/**
 * Work that is done once for any number of requests: one run at a time, and one more behind it when it was requested
 * meanwhile, since that run may have looked too early.
 */
export class CoalescedRun {
  private readonly run: () => Promise<void>;
  private requested = false;
  private running: Promise<void> | undefined;

  /** @param run the work. It may request itself, but must not wait for that. */
  constructor(run: () => Promise<void>) {
    this.run = run;
  }

  /**
   * Requests a run; resolves when one that began after this call has ended, and nothing more is requested. When the run
   * fails, so do those who wait for it; the next request starts anew.
   */
  request(): Promise<void> {
    this.requested = true;
    this.running ??= this.runWhileRequested();
    return this.running;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Resolves when nothing runs; requests nothing. Like {@link request}, it fails with the run. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async runWhileRequested(): Promise<void> {
    // Behind the call that requested it: the run may request itself before its first `await`.
    await undefined;
    try {
      while (this.requested) {
        this.requested = false;
        await this.run();
      }
    } finally {
      // In the same turn as the last look at `requested`: no request falls between the two.
      this.running = undefined;
    }
  }
}
