import type { Sequence } from '../../contract.ts';
import {
  isInsideOf,
  mergeRanges,
  type NotedSegment,
  type SequenceRange,
  type StreamNote,
} from './stream-note.ts';

/** So many ranges of lost lines are remembered as told. */
const TOLD_MAX = 64;

/** Lines that are lost because of damage. */
export interface LostLines {
  readonly range: SequenceRange;
  /** The app's stream wasn't told of them yet. */
  readonly isNew: boolean;
}

export interface LossRecordOptions {
  /** What was noted of the stream before. */
  readonly note: StreamNote | undefined;
  /** Noted segments that weren't there, or unreadable, when it was opened. */
  readonly lost: readonly NotedSegment[];
  /** Called when lines turn out to be lost. */
  readonly onLost: (lost: LostLines) => void;
  /** Called when the stream has to be noted. */
  readonly onChanged: () => void;
}

/** What one stream has lost, and which of it was told already. */
export class LossRecord {
  private readonly options: LossRecordOptions;
  private lostSegments: readonly NotedSegment[];
  /** Where the stream began when it was noted last. */
  private readonly notedFirst: Sequence;
  private told: readonly SequenceRange[];
  private cleared: readonly SequenceRange[];

  constructor(options: LossRecordOptions) {
    const { note, lost } = options;
    this.options = options;
    this.lostSegments = lost;
    this.notedFirst = note?.first ?? 1;
    this.told = note?.told ?? [];
    this.cleared = note?.cleared ?? [];
  }

  /** Lines turn out to be lost: that is told, unless `tailrace repair` has cleared up behind them. */
  report(range: SequenceRange): void {
    if (isInsideOf(range, this.cleared)) return;
    const isNew = !isInsideOf(range, this.told);
    if (isNew) {
      this.told = mergeRanges([...this.told, range]).slice(-TOLD_MAX);
      this.options.onChanged();
    }
    this.options.onLost({ range, isNew });
  }

  /** A segment was trimmed: what was lost of it, and before the line that is the first one now, doesn't matter any more. */
  forgetTrimmed(trimmed: { readonly first: Sequence }, firstLeft: Sequence): void {
    this.lostSegments = this.lostSegments.filter(({ first }) => first > trimmed.first);
    const isKept = ([, last]: SequenceRange): boolean => last >= firstLeft;
    this.told = this.told.filter(isKept);
    this.cleared = this.cleared.filter(isKept);
  }

  /** Nothing that was lost matters any more. */
  clear(): void {
    this.lostSegments = [];
    this.told = [];
    this.cleared = [];
  }

  /** What has to be noted, of a stream that begins with this line. */
  note(streamFirst: Sequence): Pick<StreamNote, 'first' | 'lost' | 'told' | 'cleared'> {
    const { lostSegments: lost, told, cleared } = this;
    // While its oldest segment is missing, the stream still should begin there.
    const isStartMissing = lost.some(({ first }) => first < streamFirst);
    return {
      first: isStartMissing ? Math.min(this.notedFirst, streamFirst) : streamFirst,
      lost,
      told,
      cleared,
    };
  }
}
