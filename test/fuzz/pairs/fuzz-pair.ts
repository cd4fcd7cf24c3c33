/** Two implementations of one thing, of which one says what is right, held to each other on inputs that a generator makes of seeds. */
import { errorMessage } from '../../../src/common/text/error-message.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';

const SEED_MAX = 0x7fff_ffff;
/** Inputs between two turns of the event loop. */
const ROUND = 1_000;

export interface FuzzPair {
  readonly name: string;
  /** Inputs of one run of all that `npm test` makes: see `propertyRuns`. */
  readonly inputs: number;
  /** Makes the input of this seed, and gives it to both. @throws what the faster one did otherwise, in words */
  readonly check: (seed: number) => void | Promise<void>;
}

/** An input that two implementations take differently. */
export class PairDiffers extends Error {
  override name = 'PairDiffers';
}

/**
 * Checks a pair with so many inputs from a seed on.
 * @throws what the first one that is broken threw, with its own seed, as which it comes first
 */
export async function checkPair(
  pair: FuzzPair,
  { inputs, seed, onProgress }: { inputs: number; seed: number; onProgress?: (done: number) => void },
): Promise<void> {
  const random = seededRandom(seed);
  let next = seed;
  for (let done = 0; done < inputs; done++) {
    try {
      const result = pair.check(next);
      if (result) await result;
    } catch (error) {
      throw new Error(`FUZZ_SEED=${next}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    next = Math.floor(random() * SEED_MAX);
    if (done % ROUND !== ROUND - 1) continue;
    await new Promise((resolve) => setImmediate(resolve));
    onProgress?.(done + 1);
  }
}

/** What `run` gives back, a promise maybe, while the wall clock is under its control; it starts at `nowMs`. */
export function withClock<T>(nowMs: number, run: (clock: { nowMs: number }) => T): T {
  const { now } = Date;
  const clock = { nowMs };
  const restore = (): void => {
    Date.now = now;
  };
  Date.now = () => clock.nowMs;
  let result: T | undefined;
  try {
    result = run(clock);
  } finally {
    if (!(result instanceof Promise)) restore();
  }
  return result instanceof Promise ? (result.finally(restore) as T) : result;
}

/** Where two texts begin to differ, with what is around it. */
export function describeDifference(name: string, found: string, expected: string): string {
  let at = 0;
  while (at < found.length && found[at] === expected[at]) at++;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 120), at + 120));
  return `${name} differ at ${at} of ${found.length} and ${expected.length}: found ${around(found)}, expected ${around(expected)}`;
}
