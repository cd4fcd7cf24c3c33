/** What has to be true after everything that happened: a pure function of what senders know and what readers got. */

export interface SenderRecord {
  readonly name: string;
  /** Numbers that were acknowledged, and when. */
  readonly acknowledged: ReadonlyMap<number, number>;
  /** Numbers that were refused in so many words, and never sent again. */
  readonly refused: ReadonlySet<number>;
  /** Numbers that were sent again, in requests without a name: they may be stored twice. */
  readonly repeated: ReadonlySet<number>;
  /** Sent without an answer, and not again: they may have been on their way when the next ones were sent. */
  readonly givenUp: ReadonlySet<number>;
}

export interface Delivery {
  readonly sender: string;
  readonly number: number;
  readonly atMs: number;
}

export interface ReaderRecord {
  readonly name: string;
  readonly deliveries: readonly Delivery[];
  /** How many lines it was told that it lost; none, unless some may be. */
  readonly lost: number;
  /** It knows a request that it had before: nothing comes twice, whatever happens. */
  readonly isExactlyOnce: boolean;
  /** While its network took bytes and delivered none, of which a protocol without answers knows nothing: what came then may be lost. */
  readonly silences?: readonly FaultRecord[];
  /**
   * Losses of a Redis that has replicas: while these are away a drain doesn't wait for them, so that a failover may take back its cursor and which
   * lines the request on its way has. They come again in another request, of which the receiver knows nothing.
   */
  readonly failovers?: readonly FaultRecord[];
}

/** Something that was broken for a while. */
export interface FaultRecord {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Evidence {
  readonly senders: readonly SenderRecord[];
  readonly readers: readonly ReaderRecord[];
  readonly faults: readonly FaultRecord[];
  /** From here on all was well, and every backlog delivered: nothing may come twice. */
  readonly calmFromMs: number;
  /** May a line that was acknowledged then be lost? */
  readonly mayBeLost?: (acknowledgedAtMs: number) => boolean;
  /** Any line may be lost, when it is counted. */
  readonly mayLoseCounted?: boolean;
}

export interface ReaderResult {
  readonly name: string;
  readonly delivered: number;
  /** Deliveries of a line beyond the first that the senders didn't cause. */
  readonly duplicates: number;
  /** Of these, those that a failover explains where nothing else may. */
  readonly takenBack: number;
  readonly missing: number;
  /** Of the missing, those that a silence explains. */
  readonly silenced: number;
  readonly lost: number;
}

export interface CheckResult {
  readonly acknowledged: number;
  readonly refused: number;
  readonly readers: readonly ReaderResult[];
  readonly violations: readonly string[];
}

/** What comes twice may do so for so long after a fault: retries back off up to thirty seconds, leases are free after ten. */
const EXPLAINED_FOR_MS = 45_000;
/** What was written while a network took bytes and delivered none is found out so much later, at the most. */
const SILENCE_MS = 10_000;
/** At most so many of a reader's broken promises of one kind are listed. */
const LISTED_MAX = 3;

export function check(evidence: Evidence): CheckResult {
  const { senders, readers, faults, calmFromMs, mayBeLost = () => false, mayLoseCounted = false } = evidence;
  const violations: string[] = [];
  const bySender = new Map(senders.map((sender) => [sender.name, sender]));
  const mayLose =
    mayLoseCounted || senders.some(({ acknowledged }) => [...acknowledged.values()].some(mayBeLost));
  const results = readers.map((reader) => {
    const problems = new Map<string, string[]>();
    const complain = (kind: string, text: string): void => {
      const some = problems.get(kind) ?? [];
      problems.set(kind, some);
      some.push(text);
    };
    const seen = new Map<string, Map<number, number>>();
    const newest = new Map<string, number>();
    let delivered = 0;
    let duplicates = 0;
    let takenBack = 0;
    for (const { sender, number, atMs } of reader.deliveries) {
      const record = bySender.get(sender);
      if (!record) {
        complain('unknown', `${sender} ${number} was never sent`);
        continue;
      }
      const own = seen.get(sender) ?? new Map<number, number>();
      seen.set(sender, own);
      const before = own.get(number);
      if (before === undefined) {
        delivered++;
        own.set(number, atMs);
        const last = newest.get(sender) ?? 0;
        if (number < last && !record.givenUp.has(number))
          complain('order', `${sender} ${number} came after ${last}`);
        newest.set(sender, Math.max(last, number));
        if (record.refused.has(number)) complain('refused', `${sender} ${number} was refused, and came`);
        continue;
      }
      if (record.repeated.has(number)) continue;
      duplicates++;
      const text = `${sender} ${number} came again`;
      if (reader.isExactlyOnce && wasTakenBack(reader, record, number, calmFromMs)) takenBack++;
      else if (reader.isExactlyOnce) complain('twice', text);
      else if (atMs >= calmFromMs) complain('calm', `${text} when all was well`);
      else if (!faults.some((one) => one.fromMs <= atMs && one.toMs + EXPLAINED_FOR_MS >= before))
        complain('unexplained', `${text}, and no fault explains it`);
    }
    let missing = 0;
    let silenced = 0;
    for (const { sender, number, atMs, isSilenced } of missingOf(reader, senders)) {
      missing++;
      if (isSilenced) silenced++;
      else if (!mayBeLost(atMs)) complain('missing', `${sender} ${number} was acknowledged, and never came`);
    }
    if (reader.lost > 0 && !mayLose) complain('counted', `${reader.lost} lines as lost, and none may be`);
    if (mayLoseCounted && missing <= reader.lost) problems.delete('missing');
    for (const [kind, texts] of problems)
      violations.push(
        `${reader.name}: ${kind}, ${texts.length} times: ${texts.slice(0, LISTED_MAX).join('; ')}`,
      );
    return { name: reader.name, delivered, duplicates, takenBack, missing, silenced, lost: reader.lost };
  });
  const count = (of: (sender: SenderRecord) => number): number =>
    senders.reduce((sum, one) => sum + of(one), 0);
  return {
    acknowledged: count(({ acknowledged }) => acknowledged.size),
    refused: count(({ refused }) => refused.size),
    readers: results,
    violations,
  };
}

/** Did a failover take back that a line had come? */
function wasTakenBack(
  { failovers = [] }: ReaderRecord,
  { acknowledged }: SenderRecord,
  number: number,
  calmFromMs: number,
): boolean {
  const atMs = acknowledged.get(number);
  if (atMs === undefined) return failovers.length > 0;
  return (
    atMs < calmFromMs &&
    failovers.some(({ fromMs, toMs }) => fromMs - EXPLAINED_FOR_MS <= atMs && atMs <= toMs + EXPLAINED_FOR_MS)
  );
}

export interface MissingLine {
  readonly sender: string;
  readonly number: number;
  /** When it was acknowledged. */
  readonly atMs: number;
  readonly isSilenced: boolean;
}

/** What was acknowledged, and didn't come (yet). */
export function missingOf(
  reader: Pick<ReaderRecord, 'deliveries' | 'silences'>,
  senders: readonly SenderRecord[],
): MissingLine[] {
  const { deliveries, silences = [] } = reader;
  const arrivals = new Map<string, Map<number, number>>();
  for (const { sender, number, atMs } of deliveries) {
    const own = arrivals.get(sender) ?? new Map<number, number>();
    arrivals.set(sender, own);
    if (!own.has(number)) own.set(number, atMs);
  }
  const missing: MissingLine[] = [];
  for (const { name: sender, acknowledged } of senders) {
    const own = arrivals.get(sender) ?? new Map<number, number>();
    const gone = [...acknowledged].filter(([number]) => !own.has(number));
    if (gone.length === 0) continue;
    const arrived = silences.length > 0 ? [...own].sort(([a], [b]) => a - b) : [];
    for (const [number, atMs] of gone) {
      // Lines come in order: it was on its way between those that came before and behind it.
      const next = arrived.findIndex(([other]) => other > number);
      const fromMs = (next < 0 ? arrived.at(-1) : arrived[next - 1])?.[1] ?? 0;
      const toMs = next < 0 ? Number.POSITIVE_INFINITY : arrived[next][1];
      const isSilenced = silences.some((one) => one.fromMs <= toMs && one.toMs + SILENCE_MS >= fromMs);
      missing.push({ sender, number, atMs, isSilenced });
    }
  }
  return missing;
}
