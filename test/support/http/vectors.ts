/** HTTP messages as bytes, good and bad, from test/fixtures/http: what they must lead to, and the rule that says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface HttpVector {
  readonly name: string;
  /** Section of the RFC. */
  readonly rule: string;
  /**
   * What the HTTP router does: `pass` it on, `refuse` it, `wait` for the rest of it, `cut` a response that it had begun to relay off
   * (or refuse it); `any` where the rules leave it open.
   */
  readonly expect: 'pass' | 'refuse' | 'wait' | 'cut' | 'any';
  /** The bytes, one a character. */
  readonly send: string;
  /** Of responses: the method of the request before, GET when there is none. */
  readonly method?: string;
  /** Of responses: the connection is closed behind it. */
  readonly close?: boolean;
}

const FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'http');
/** `{3*abc}` stands for abcabcabc. */
const REPEATED = /\{(\d+)\*([^{}]*)\}/g;

export function readHttpVectors(file: string): HttpVector[] {
  const vectors: HttpVector[] = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
  return vectors.map((vector) => ({
    ...vector,
    send: vector.send.replace(REPEATED, (_all, count: string, text: string) => text.repeat(Number(count))),
  }));
}

/** Runs `work` on all of them, so many at a time; the results in their order. */
export async function mapConcurrently<T, R>(
  all: readonly T[],
  atATime: number,
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const workers = Array.from({ length: atATime }, async () => {
    while (next < all.length) {
      const i = next++;
      results[i] = await work(all[i]);
    }
  });
  await Promise.all(workers);
  return results;
}

/**
 * Looks for findings in all of them, so many at a time. On a busy machine a peer may wait too long for its turn beside the others: what was found is looked
 * for once more, alone.
 */
export async function withSecondTry<T>(
  all: readonly T[],
  atATime: number,
  find: (one: T) => Promise<readonly string[]>,
): Promise<string[]> {
  const first = await mapConcurrently(all, atATime, find);
  const again = all.filter((_, i) => first[i].length > 0);
  return (await mapConcurrently(again, 1, find)).flat();
}
