/** Of what lasts a while, one thing at a time happens to a victim: the end of one fault would be the end of the other. */
export class VictimTurns {
  private readonly last = new Map<object, Promise<unknown>>();

  /** Runs `work` when nothing else lasts for this victim. */
  take<T>(victim: object, work: () => Promise<T>): Promise<T> {
    const done = (this.last.get(victim) ?? Promise.resolve()).then(work);
    this.last.set(
      victim,
      done.catch(() => {}),
    );
    return done;
  }
}
