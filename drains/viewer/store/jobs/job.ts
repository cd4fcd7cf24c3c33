/** What the store's threads are given to do: plain data. */
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import type { FilterPlan } from '../filter/filter-plan.ts';
import type { LinesToPack, WrittenPart } from '../parts/part-writer.ts';
import type { LineRank } from '../scan/line-rank.ts';

/** Which lines of a stream are looked at. */
export interface ScanSelection {
  readonly stream: AppId;
  readonly query: QueryNode | undefined;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Where the lines are: blocks of a file, or batches that aren't packed yet. */
export type ScanSource =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly blocks: readonly BlockEntry[];
      /** Of lines that are counted: those that the part's columns tell all of, or those that have to be read; else all. */
      readonly lines?: 'in-columns' | 'to-read';
    }
  | { readonly kind: 'batches'; readonly batches: readonly LinesToPack[]; readonly after: Sequence };

interface ScanJobBase {
  readonly selection: ScanSelection;
  readonly source: ScanSource;
}

/** Finds lines: the first `limit` of them in a direction, behind (or before) a place in the order. */
export interface HitsJob extends ScanJobBase {
  readonly kind: 'hits';
  readonly direction: 'before' | 'after';
  readonly cursor: LineRank | undefined;
  readonly limit: number;
}

/** Counts lines in each span of `stepMs`, by level. */
export interface CountsJob extends ScanJobBase {
  readonly kind: 'counts';
  readonly stepMs: number;
}

/** Counts the values of a field. */
export interface ValuesJob extends ScanJobBase {
  readonly kind: 'values';
  readonly field: string;
}

/** Reads lines by their sequences, `from` to `to`. */
export interface ReadJob extends ScanJobBase {
  readonly kind: 'read';
  readonly from: Sequence;
  readonly to: Sequence;
}

export type ScanJob = HitsJob | CountsJob | ValuesJob | ReadJob;

/** Asks the filter of a part which of its blocks may have lines that match. */
export interface FilterJob {
  readonly kind: 'filter';
  readonly path: string;
  readonly plan: FilterPlan;
}

export interface FilterReply {
  /** A bit for each block; undefined when all of them have to be looked at. */
  readonly blocks: Uint8Array | undefined;
}

/** Lines, one after the other. */
export interface PackedHits {
  readonly times: Float64Array;
  readonly sequences: Float64Array;
  readonly received: Float64Array;
  /** Where each record ends. */
  readonly ends: Float64Array;
  readonly records: Uint8Array;
}

/** Blocks that couldn't be read. */
export interface BlockFault {
  readonly first: Sequence;
  readonly last: Sequence;
  readonly reason: string;
}

interface ScanReplyBase {
  readonly faults: readonly BlockFault[];
  /** There is no such file (any more). */
  readonly isGone: boolean;
}

export interface HitsReply extends ScanReplyBase {
  readonly hits: PackedHits;
}

/** What is left of a job for {@link ScanSource} `in-columns`. */
interface TallyReplyBase extends ScanReplyBase {
  /** Blocks with lines that have to be read. */
  readonly toRead?: readonly BlockEntry[];
}

export interface CountsReply extends TallyReplyBase {
  /** `startMs, error, warning, other` each. */
  readonly buckets: Float64Array;
}

export interface ValuesReply extends TallyReplyBase {
  readonly values: ReadonlyMap<string, number>;
  /** Lines with values beyond the number of those that are counted by themselves. */
  readonly others: number;
  readonly missing: number;
}

/** Adds lines to a part that is being written; it is begun with the first. */
export interface PackJob {
  readonly kind: 'pack';
  readonly path: string;
  readonly lines: readonly LinesToPack[];
  /** Lines up to here are packed already. */
  readonly after: Sequence;
}

export interface PackReply {
  /** Blocks that are in the file now and weren't before. */
  readonly blocks: readonly BlockEntry[];
}

/** Finishes a part. */
export interface SealJob {
  readonly kind: 'seal';
  readonly path: string;
  /** What the file's name has around that of a part: it is given its own later. */
  readonly prefix?: string;
  readonly suffix?: string;
}

export interface SealReply {
  readonly part: WrittenPart | undefined;
}

/** Gives up a part that is being written. */
export interface AbandonJob {
  readonly kind: 'abandon';
  readonly path: string;
}

/** Makes one part of several. */
export interface MergeJob {
  readonly kind: 'merge';
  readonly path: string;
  readonly sources: readonly { readonly path: string; readonly blocks: readonly BlockEntry[] }[];
}

/** Writes a part anew, under the same name, without lines. */
export interface EraseJob {
  readonly kind: 'erase';
  /** Of the file until it is whole. */
  readonly path: string;
  readonly source: { readonly path: string; readonly blocks: readonly BlockEntry[] };
  readonly selection: ScanSelection;
  /** Only find the lines. */
  readonly isDryRun: boolean;
}

export interface EraseReply {
  /** Undefined when nothing was to be erased, or nothing is left. */
  readonly part: WrittenPart | undefined;
  /** The lines that were erased. */
  readonly erased: Float64Array;
  /** Blocks that couldn't be read: then the part stays as it is. */
  readonly faults: readonly BlockFault[];
}

/** What each job is answered with. */
export interface JobReplies {
  readonly hits: HitsReply;
  readonly read: HitsReply;
  readonly counts: CountsReply;
  readonly values: ValuesReply;
  readonly filter: FilterReply;
  readonly pack: PackReply;
  readonly seal: SealReply;
  readonly abandon: undefined;
  readonly merge: SealReply;
  readonly erase: EraseReply;
}

export type Job = ScanJob | FilterJob | PackJob | SealJob | AbandonJob | MergeJob | EraseJob;
export type JobReply<J extends Job> = JobReplies[J['kind']];

/** Does jobs, somewhere. */
export interface JobRunner {
  run<J extends Job>(job: J): Promise<JobReply<J>>;
  close(): Promise<void>;
}
