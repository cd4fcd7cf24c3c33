/**
 * Positions of lines, as whoever reads a stream sees and keeps them. A power cut may take the end of a stream, and its numbers are then those of other
 * lines: what is stored behind such an end has positions far above its numbers. So a position from before tells which lines its reader has had.
 */
import type { AppId, RecordChange, Sequence, Store } from './contract.ts';

/** In the scope of no app. They change when nobody reads the stream: at the start of a server, and in a restore. */
const POSITIONS_PREFIX = 'positions/';
/** So much higher are positions behind an end that lines were lost behind: more than these can be. */
const STEP = 10_000_000_000;
/** So many ends of a stream are remembered. */
const ENDS_MAX = 256;

/** Lines behind a sequence have positions that are so much higher than their sequences; part of a record. */
export interface PositionOffset {
  readonly after: Sequence;
  readonly offset: number;
}

/** The key of a stream's offsets, in the scope of no app. */
export function positionsKey(app: AppId): string {
  return POSITIONS_PREFIX + app;
}

/** Is this the key of a stream's offsets? */
export function isPositionsKey(key: string): boolean {
  return key.startsWith(POSITIONS_PREFIX);
}

/**
 * The offsets of a stream that ends with this line, and may have lost what was behind it.
 * @param steps more than the times that numbers may have been given anew since the offsets were read
 */
export function renumberedOffsets(
  offsets: readonly PositionOffset[],
  after: Sequence,
  steps = 1,
): readonly PositionOffset[] {
  const offset = (offsets.at(-1)?.offset ?? 0) + steps * STEP;
  // What came behind a later end, or the same, is lost.
  const others = offsets.filter((one) => one.after < after);
  return [...others, { after, offset }].slice(-ENDS_MAX);
}

/**
 * Behind a power cut ({@link Store.repeatedEnds}): lines that come from now on have other positions than those that are gone.
 * @param ends of streams
 */
export async function offsetsBehind(
  store: Store,
  ends: ReadonlyMap<AppId, Sequence>,
): Promise<RecordChange[]> {
  const known = new Map(
    (await store.list<readonly PositionOffset[]>('', POSITIONS_PREFIX)).map(({ key, value }) => [key, value]),
  );
  return [...ends].map(([app, last]) => {
    const key = positionsKey(app);
    return { key, value: renumberedOffsets(known.get(key) ?? [], last) };
  });
}

/** What positions the lines of a stream have. */
export class StreamPositions {
  private readonly offsets: readonly PositionOffset[];

  /** @param offsets oldest first; none: positions are sequences */
  constructor(offsets: readonly PositionOffset[] = []) {
    this.offsets = offsets;
  }

  /** The position of a line. */
  of(sequence: Sequence): number {
    const { offsets } = this;
    for (let i = offsets.length - 1; i >= 0; i--)
      if (offsets[i].after < sequence) return sequence + offsets[i].offset;
    return sequence;
  }

  /** The line up to which somebody with this position has had the stream: the last one of then, where theirs is lost. Above the newest one it is of another stream. */
  sequenceOf(position: number): Sequence {
    return Math.min(this.givenSequence(position), this.endAt(position));
  }

  /** The line with which the stream ended when it lost the one at this position; undefined when it has not. */
  lostBehind(position: number): Sequence | undefined {
    const end = this.endAt(position);
    return this.givenSequence(position) > end ? end : undefined;
  }

  /** The position behind which a reader goes on who has had lines that are lost. @param end of {@link lostBehind} */
  behindEnd(end: Sequence): number {
    return this.of(end + 1) - 1;
  }

  private indexOf(position: number): number {
    return this.offsets.findLastIndex(({ after, offset }) => after + offset <= position);
  }

  /** The sequence that the line at this position had. */
  private givenSequence(position: number): Sequence {
    return position - (this.offsets[this.indexOf(position)]?.offset ?? 0);
  }

  /** Where the stream ended, as it was when this position was given out. */
  private endAt(position: number): Sequence {
    return this.offsets[this.indexOf(position) + 1]?.after ?? Number.POSITIVE_INFINITY;
  }
}

/** What positions the lines of a stream have, as its record says. */
export async function loadPositions(store: Pick<Store, 'get'>, app: AppId): Promise<StreamPositions> {
  return new StreamPositions((await store.get<readonly PositionOffset[]>('', positionsKey(app)))?.value);
}
