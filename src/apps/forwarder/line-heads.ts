import type { LineHead } from './line-batch.ts';

/** What stands around the time in front of a line: made once for each dyno. */
export class LineHeads {
  readonly #tokens: Readonly<Record<string, string>>;
  readonly #known = new Map<string, LineHead>();
  /** Whose line was the last: mostly the next one is theirs too. */
  #last: { source: string; dyno: string; priority: number; head: LineHead } | undefined;

  /** @param tokens the token of each source */
  constructor(tokens: Readonly<Record<string, string>>) {
    this.#tokens = tokens;
  }

  /** @throws if there is no token for the source */
  of(source: string, dyno: string, priority: number): LineHead {
    const last = this.#last;
    if (last?.dyno === dyno && last.source === source && last.priority === priority) return last.head;
    const name = `${priority} ${source} ${dyno}`;
    const head = this.#known.get(name) ?? this.#made(source, dyno, priority);
    this.#known.set(name, head);
    this.#last = { source, dyno, priority, head };
    return head;
  }

  #made(source: string, dyno: string, priority: number): LineHead {
    const token = this.#tokens[source];
    if (token === undefined) throw new Error(`There is no token for the source "${source}".`);
    const before = `<${priority}>1 `;
    const after = ` host ${token} ${dyno} - - `;
    const byteCount = before.length + '2013-11-04T21:31:32.125756+00:00'.length + after.length;
    return { before, after, byteCount };
  }
}
