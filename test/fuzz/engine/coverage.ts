/** Which branches of our own code have run, as V8 knows it: no build of its own is needed. */
import { type Profiler, Session } from 'node:inspector';

export class BranchCoverage {
  private readonly session = new Session();
  private readonly isOwn: (url: string) => boolean;
  /** By function: where branches begin. V8 tells a branch from what is around it only while the two ran a different number of times. */
  private readonly known = new Map<string, Set<number>>();
  private readonly seen = new Set<string>();

  /**
   * One for a process, before the code that counts runs for the first time: V8 counts the branches of a function that it compiles from
   * then on, and of the others whether they ran at all.
   * @param isOwn does the script at this address count?
   */
  constructor(isOwn: (url: string) => boolean) {
    this.isOwn = isOwn;
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** The branches that ran since the last look. It takes milliseconds: look after many inputs. */
  take(): ReadonlySet<string> {
    const ran = new Set<string>();
    this.session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error) throw error;
      for (const { url, scriptId, functions } of coverage.result)
        if (this.isOwn(url)) for (const { ranges } of functions) this.note(scriptId, ranges, ran);
    });
    return ran;
  }

  /** Those that ran since the last look, and never before it. */
  takeNew(): ReadonlySet<string> {
    const fresh = new Set<string>();
    for (const branch of this.take()) if (!this.seen.has(branch)) fresh.add(branch);
    for (const branch of fresh) this.seen.add(branch);
    return fresh;
  }

  /** Nothing has run yet, for the next reader. */
  forget(): void {
    this.take();
    this.seen.clear();
  }

  /** Ends the counting, which makes slower all that this process compiles while it goes on. */
  close(): void {
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  private note(scriptId: string, ranges: readonly Profiler.CoverageRange[], ran: Set<string>): void {
    const id = `${scriptId}:${ranges[0].startOffset}`;
    let places = this.known.get(id);
    if (!places) {
      places = new Set();
      this.known.set(id, places);
    }
    for (const { startOffset } of ranges) places.add(startOffset);
    for (const place of places) if (hasRun(ranges, place)) ran.add(`${id}:${place}`);
  }
}

/** Ranges are nested, and one stands before those within it: the last one around a place is its own. */
function hasRun(ranges: readonly Profiler.CoverageRange[], place: number): boolean {
  const own = ranges.findLast(({ startOffset, endOffset }) => startOffset <= place && place < endOffset);
  return own !== undefined && own.count > 0;
}
