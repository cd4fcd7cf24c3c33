/** The frame ids written lately, at most `max`: the one not asked for or added for the longest time goes first. */
export class Seen {
  readonly #max: number;
  // A Set keeps the order of insertion: its first member is the oldest.
  readonly #ids = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  has(id: string): boolean {
    if (!this.#ids.delete(id)) return false;
    this.#ids.add(id);
    return true;
  }

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#max) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  *[Symbol.iterator](): Iterator<string> {
    yield* this.#ids;
  }
}
