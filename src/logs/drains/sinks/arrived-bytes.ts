/** So long after the other end's system has something its program has read it, if its connection is still open then. */
export const READ_WITHIN_MS = 1_000;
/** What left this process longer ago than this, and isn't acknowledged, isn't on its way: the other end takes it slowly, or not at all. */
const CONGESTED_AFTER_MS = 500;

/**
 * How much of what was written to a connection has arrived, where nothing answers: what the other end's system acknowledges, and, while that
 * happens slowly, what it acknowledged a second ago, since its program reads no faster. Times are on one clock that is never set.
 */
export class ArrivedBytes {
  /** So many bytes of those that were written have arrived. */
  count = 0;
  private congestedUntilMs = Number.NEGATIVE_INFINITY;
  /** What was acknowledged when it was looked at; oldest first. */
  private readonly looks: { readonly atMs: number; readonly acknowledged: number }[] = [];
  private progressedAtMs: number | undefined;
  private acknowledged = 0;

  /** How long nothing was acknowledged though something waited for it, milliseconds. */
  stalledMs(nowMs: number): number {
    return this.progressedAtMs === undefined ? 0 : nowMs - this.progressedAtMs;
  }

  /**
   * The system was asked.
   * @param acknowledged bytes that the other end has acknowledged, of all that were written
   * @param isAllAcknowledged nothing is on its way
   * @param writtenBefore bytes that were written up to a given time
   */
  look(
    nowMs: number,
    acknowledged: number,
    isAllAcknowledged: boolean,
    writtenBefore: (ms: number) => number,
  ): void {
    if (isAllAcknowledged) this.progressedAtMs = undefined;
    else if (acknowledged > this.acknowledged || this.progressedAtMs === undefined)
      this.progressedAtMs = nowMs;
    this.acknowledged = acknowledged;
    if (acknowledged < writtenBefore(nowMs - CONGESTED_AFTER_MS))
      this.congestedUntilMs = nowMs + CONGESTED_AFTER_MS + READ_WITHIN_MS;
    if (nowMs >= this.congestedUntilMs) {
      this.looks.length = 0;
      this.count = Math.max(this.count, acknowledged);
      return;
    }
    this.looks.push({ atMs: nowMs, acknowledged });
    while (this.looks.length > 0 && this.looks[0].atMs <= nowMs - READ_WITHIN_MS)
      this.count = Math.max(this.count, this.looks.shift()?.acknowledged ?? 0);
  }
}
