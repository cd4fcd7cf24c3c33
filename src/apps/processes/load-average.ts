/** Seconds over which a load is averaged. */
const SPANS_S = { '1m': 60, '5m': 300, '15m': 900 } as const;
export type LoadAverage = Readonly<Record<keyof typeof SPANS_S, number>>;

/**
 * The loads of dynos: how many processors each keeps busy, damped exponentially over the last minute, five and fifteen, as the averages
 * of Linux are.
 */
export class LoadAverages {
  private readonly seen = new Map<
    string,
    { readonly cpuMs: number; readonly atMs: number; readonly load?: LoadAverage }
  >();

  /**
   * @param cpuMs processor time that it has taken since it began
   * @param atMs on a clock that never goes back
   * @returns undefined the first time: there is nothing to compare with
   */
  record(dyno: string, cpuMs: number, atMs: number): LoadAverage | undefined {
    const before = this.seen.get(dyno);
    if (!before || atMs <= before.atMs) {
      this.seen.set(dyno, { cpuMs, atMs });
      return undefined;
    }
    const elapsedMs = atMs - before.atMs;
    // Processes that have ended without being waited for take their time along.
    const now = Math.max(0, cpuMs - before.cpuMs) / elapsedMs;
    const damped = (span: keyof typeof SPANS_S): number => {
      const kept = before.load ? Math.exp(-elapsedMs / (SPANS_S[span] * 1_000)) : 0;
      return (before.load?.[span] ?? 0) * kept + now * (1 - kept);
    };
    const load = { '1m': damped('1m'), '5m': damped('5m'), '15m': damped('15m') };
    this.seen.set(dyno, { cpuMs, atMs, load });
    return load;
  }

  /** Forgets all but these dynos. */
  keepOnly(dynos: ReadonlySet<string>): void {
    for (const dyno of this.seen.keys()) if (!dynos.has(dyno)) this.seen.delete(dyno);
  }
}
