import type { DiskSpaceGuard } from './records/lmdb-safety.ts';

export interface StoreProblemsOptions {
  /** The data folder. */
  readonly folder: string;
  readonly diskSpace: DiskSpaceGuard;
  /** Called with a sentence about what doesn't work as it should, or does again. */
  readonly onProblem: ((message: string) => void) | undefined;
}

/** What doesn't work as it should in an embedded store: each is said once, and those who watch it are told while nothing can be kept. */
export class StoreProblems {
  private readonly options: StoreProblemsOptions;
  /** Sentences about what stays as it is until the next start, besides lost lines. */
  private readonly lasting: string[] = [];
  private goneFiles: readonly string[] = [];
  /** What was said last of the disk. */
  private diskTrouble: string | undefined;
  private isOutOfPlace = false;
  private readonly outageListeners = new Set<(unavailable: boolean) => void>();

  constructor(options: StoreProblemsOptions) {
    this.options = options;
  }

  /** All that was reported. */
  get reported(): readonly string[] {
    return this.lasting;
  }

  /** What is wrong with the disk and the files of streams, as a sentence; undefined when nothing is. */
  get trouble(): string | undefined {
    return this.options.diskSpace.trouble ?? this.filesGone();
  }

  /** Says what will be so until the next start. */
  report(message: string): void {
    this.lasting.push(message);
    this.options.onProblem?.(message);
  }

  /** Calls the listener when nothing can be kept, because the data folder isn't in its place, and when it is again. Returns a function that ends it. */
  watchOutage(listener: (unavailable: boolean) => void): () => void {
    const own = (unavailable: boolean): void => listener(unavailable);
    this.outageListeners.add(own);
    if (this.isOutOfPlace)
      queueMicrotask(() => {
        if (this.outageListeners.has(own)) own(true);
      });
    return () => this.outageListeners.delete(own);
  }

  /** The data folder isn't in its place any more, or is again (undefined). */
  onPlaceChanged(trouble: string | undefined): void {
    this.isOutOfPlace = trouble !== undefined;
    const { folder, onProblem } = this.options;
    onProblem?.(trouble ?? `The data folder ${folder} is back in its place: lines are stored again.`);
    for (const listener of this.outageListeners) listener(this.isOutOfPlace);
  }

  /** There are more or fewer files of streams that somebody took away. */
  onFilesGone(paths: readonly string[]): void {
    const isMore = paths.length > this.goneFiles.length;
    this.goneFiles = paths;
    const said = this.filesGone();
    if (isMore && said !== undefined) this.options.onProblem?.(said);
  }

  /** Says when the disk takes no lines, and when it does again. */
  checkDisk(): void {
    const { diskSpace, onProblem } = this.options;
    const before = this.diskTrouble;
    this.diskTrouble = diskSpace.trouble;
    if ((before === undefined) === (this.diskTrouble === undefined)) return;
    onProblem?.(
      this.diskTrouble ?? 'The disk that holds the data folder can be written again: lines are stored again.',
    );
  }

  /** Which files of streams were taken away, as a sentence. */
  private filesGone(): string | undefined {
    const [path] = this.goneFiles;
    if (path === undefined) return undefined;
    const more = this.goneFiles.length - 1;
    const others = more === 0 ? '' : `, and ${more} more`;
    return `${path} was removed or moved while tailrace used it${others}, and the lines in it are lost unless it is put back; new lines are stored.`;
  }
}
