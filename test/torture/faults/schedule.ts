/** Which fault comes when: a pure function of the seed, so that a failure can be repeated. */
import { seededRandom } from '../../support/properties/seeded-random.ts';

/** A kind of fault that a deployment can have. */
export interface FaultKind {
  readonly name: string;
  /** How long it lasts, milliseconds; for what happens at once, how long what was killed stays down. */
  readonly forMs: readonly [least: number, most: number];
  /** How often it comes, beside the others; default 1. */
  readonly weight?: number;
  /** In which ways it comes: that of a fault is `wayOf` its dice; undefined: in one. */
  readonly ways?: readonly string[];
}

export interface ScheduledFault {
  /** Since the beginning, milliseconds. */
  readonly atMs: number;
  readonly name: string;
  readonly forMs: number;
  /** For all that the fault itself leaves open: which victim, which way. */
  readonly dice: number;
}

const PAUSE_MS = [300, 2_500] as const;
/** So many of a hundred faults come while another one lasts. */
const TOGETHER_PERCENT = 30;

/**
 * @param forMs how long the schedule is, milliseconds
 * @param perMinute so many faults come in a minute on average: pauses and faults are shorter, or longer, in proportion; undefined: as each kind
 *   says
 */
export function planFaults(
  seed: number,
  forMs: number,
  kinds: readonly FaultKind[],
  perMinute?: number,
): ScheduledFault[] {
  const random = seededRandom(seed);
  const scale = perMinute === undefined ? 1 : 60_000 / perMinute / meanMs(kinds);
  const between = ([least, most]: readonly [number, number]): number =>
    Math.round((least + random() * (most - least)) * scale);
  const weights = kinds.map(({ weight = 1 }) => weight);
  const sum = weights.reduce((a, b) => a + b, 0);
  const pick = (): FaultKind => {
    let at = random() * sum;
    for (const [i, kind] of kinds.entries()) {
      at -= weights[i];
      if (at < 0) return kind;
    }
    return kinds[kinds.length - 1];
  };
  const plan: ScheduledFault[] = [];
  for (let atMs = 0; ; ) {
    atMs += between(PAUSE_MS);
    if (atMs >= forMs) return plan;
    const kind = pick();
    const fault = { atMs, name: kind.name, forMs: between(kind.forMs), dice: Math.floor(random() * 2 ** 31) };
    plan.push(fault);
    if (random() * 100 >= TOGETHER_PERCENT) atMs += fault.forMs;
  }
}

/** Which of its ways a fault comes in. */
export function wayOf<T>(dice: number, ways: readonly T[]): T {
  return ways[(dice >> 8) % ways.length];
}

/**
 * Each kind the same number of times, in an order by the seed, and each of its ways as often as the others. Most faults are short, so that there
 * is time for many, and some as long as their kind may be.
 *
 * @param times how often each kind comes
 * @param perMinute so many faults begin in a minute
 */
export function planEach(
  seed: number,
  times: number,
  kinds: readonly FaultKind[],
  perMinute: number,
): ScheduledFault[] {
  const random = seededRandom(seed);
  const all = kinds.flatMap((kind) => Array.from({ length: times }, (_, turn) => ({ kind, turn })));
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [all[i], all[other]] = [all[other], all[i]];
  }
  let atMs = 0;
  return all.map(({ kind: { name, forMs, ways = [''] }, turn }) => {
    atMs += Math.round(((0.5 + random()) * 60_000) / perMinute);
    const [least, most] = forMs;
    const dice = (): number => Math.floor(random() * 2 ** 31);
    let thrown = dice();
    while (wayOf(thrown, ways) !== ways[turn % ways.length]) thrown = dice();
    return { atMs, name, forMs: Math.round(least + random() ** 3 * (most - least)), dice: thrown };
  });
}

/** From one fault to the next, on average. */
function meanMs(kinds: readonly FaultKind[]): number {
  const middle = ([least, most]: readonly [number, number]): number => (least + most) / 2;
  const sum = kinds.reduce((all, { weight = 1 }) => all + weight, 0);
  const lasting = kinds.reduce((all, { weight = 1, forMs }) => all + weight * middle(forMs), 0) / sum;
  return middle(PAUSE_MS) + (lasting * (100 - TOGETHER_PERCENT)) / 100;
}
