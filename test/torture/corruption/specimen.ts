/** A small store of one kind, and every way in which a file of it may be damaged. */
import { readFileSync, writeFileSync } from 'node:fs';
import { seededRandom } from '../../support/properties/seeded-random.ts';

/**
 * What became of a store with a damaged file: all was right, what is lost was said, a sentence refused it, or its last lines are gone
 * without a word, as after a write that never was.
 */
export type Verdict = 'whole' | 'said' | 'refused' | 'ended';

export interface Specimen {
  readonly kind: string;
  /** Paths of the files that are damaged, one at a time. */
  readonly files: readonly string[];
  /**
   * Starts with what is on the disk now, and looks at everything that it gives.
   * @throws Error a promise that was broken
   */
  examine(damage: Damage): Promise<Verdict>;
  /** Puts everything back as it was, but for the times of its entries. */
  restore(): void | Promise<void>;
  remove(): Promise<void>;
}

/** One way to damage a file: a byte that is changed, or an end that is gone. */
export interface Damage {
  readonly kind: 'byte' | 'cut';
  readonly at: number;
}

export interface CorruptionResult {
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly broken: readonly string[];
}

const BROKEN_MAX = 20;

/** Every `step`-th damage of each file. Which bits of a byte are changed depends on the seed and the place alone. */
export async function corrupt(
  specimen: Specimen,
  { seed, step = 1, onProgress }: { seed: number; step?: number; onProgress?: (text: string) => void },
): Promise<CorruptionResult> {
  const counts = { whole: 0, said: 0, refused: 0, ended: 0 };
  const broken: string[] = [];
  for (const path of specimen.files) {
    const { length } = readFileSync(path);
    onProgress?.(`${specimen.kind}: ${path.split('/').at(-1)}, ${length} bytes`);
    const offset = Math.floor(seededRandom(seed)() * step);
    for (let place = offset; place < 2 * length && broken.length < BROKEN_MAX; place += step) {
      const damage: Damage = { kind: place % 2 === 0 ? 'byte' : 'cut', at: place >> 1 };
      writeFileSync(path, damaged(readFileSync(path), damage, seed));
      try {
        counts[await specimen.examine(damage)]++;
      } catch (error) {
        broken.push(`${specimen.kind}: ${path}, ${damage.kind} ${damage.at}, seed ${seed}: ${error}`);
      }
      await specimen.restore();
    }
  }
  return { counts, broken };
}

function damaged(bytes: Buffer, { kind, at }: Damage, seed: number): Buffer {
  if (kind === 'cut') return bytes.subarray(0, at);
  const copy = Buffer.from(bytes);
  const bits = 1 + Math.floor(seededRandom(seed + at)() * 255);
  copy[at] ^= bits;
  return copy;
}
