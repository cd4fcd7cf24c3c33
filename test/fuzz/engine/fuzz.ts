/**
 * Gives a target input after input. What ran a branch that nothing before had run is kept, and changed further: so chance finds its way into
 * the far corners of a reader. The same seed gives the same inputs as long as the code is the same.
 */
import { seededRandom } from '../../support/properties/seeded-random.ts';
import type { BranchCoverage } from './coverage.ts';
import { errorOf, type FuzzFinding, type FuzzTarget } from './fuzz-target.ts';
import { minimize } from './minimize.ts';
import { Mutator } from './mutator.ts';

/** Inputs between two looks at what ran, which take as long as thousands of inputs; more of them while nothing new runs. */
const ROUND = 2_000;
const ROUND_MAX = 32_000;
const CORPUS_MAX = 2_000;
const KEPT_A_ROUND = 8;

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Inputs are changed blindly without it. */
  readonly coverage?: BranchCoverage;
  readonly onProgress?: (inputs: number, corpus: number) => void;
}

/** @returns the first input that breaks a promise, made as small as it goes */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzFinding | undefined> {
  const { inputs, seed, coverage, onProgress } = options;
  const random = seededRandom(seed);
  const mutator = new Mutator(target, random);
  const corpus: Buffer[] = target.seeds.map((text) => Buffer.from(text as string));
  for (const input of corpus) {
    const error = await errorOf(target, input);
    if (error !== undefined) return minimize(target, { target: target.name, input, error });
  }
  coverage?.takeNew();
  let size = ROUND;
  for (let done = 0; done < inputs; ) {
    const round: Buffer[] = [];
    const most = Math.min(size, inputs - done);
    while (round.length < most) {
      const input = mutator.mutate(corpus);
      round.push(input);
      const error = await errorOf(target, input);
      if (error !== undefined) return minimize(target, { target: target.name, input, error });
    }
    done += round.length;
    // What Node.js gives up at the end of a turn, such as parsers, would fill the memory.
    await new Promise((resolve) => setImmediate(resolve));
    if (coverage && corpus.length < CORPUS_MAX)
      size = (await keepNew(target, round, corpus, coverage)) ? ROUND : Math.min(size * 2, ROUND_MAX);
    onProgress?.(done, corpus.length);
  }
  return undefined;
}

/** Adds to the corpus those of a round that ran what had never run; false when none did. */
async function keepNew(
  target: FuzzTarget,
  round: readonly Buffer[],
  corpus: Buffer[],
  coverage: BranchCoverage,
): Promise<boolean> {
  const branches = new Set(coverage.takeNew());
  if (branches.size === 0) return false;
  for (let tries = 0; branches.size > 0 && tries < KEPT_A_ROUND; tries++) {
    const input = await findRunning(target, round, branches, coverage);
    await errorOf(target, input);
    for (const branch of coverage.take()) branches.delete(branch);
    corpus.push(input);
  }
  return true;
}

/** The first input of `round` that runs one of `branches`, which one of them did. */
async function findRunning(
  target: FuzzTarget,
  round: readonly Buffer[],
  branches: ReadonlySet<string>,
  coverage: BranchCoverage,
): Promise<Buffer> {
  let rest = round;
  while (rest.length > 1) {
    const half = rest.slice(0, rest.length / 2);
    for (const input of half) await errorOf(target, input);
    const isThere = [...coverage.take()].some((branch) => branches.has(branch));
    rest = isThere ? half : rest.slice(half.length);
  }
  return rest[0];
}
