import { errorOf, type FuzzFinding, type FuzzTarget } from './fuzz-target.ts';

const TRIES_MAX = 20_000;

/** Leaves out what isn't needed for the same kind of error. */
export async function minimize(target: FuzzTarget, finding: FuzzFinding): Promise<FuzzFinding> {
  let { input, error } = finding;
  const kind = kindOf(error);
  let tries = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1 && tries < TRIES_MAX; ) {
    let hasShrunk = false;
    for (let at = 0; at < input.length && tries < TRIES_MAX; tries++) {
      const shorter = Buffer.concat([input.subarray(0, at), input.subarray(at + size)]);
      const now = await errorOf(target, shorter);
      if (now !== undefined && kindOf(now) === kind) {
        input = shorter;
        error = now;
        hasShrunk = true;
      } else at += size;
    }
    if (!hasShrunk || size > input.length) size = size === 1 ? 0 : Math.floor(size / 2);
  }
  return { ...finding, input, error };
}

/** What two errors of one fault have in common: the beginning of their words. */
function kindOf(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message.slice(0, 24).replaceAll(/\d+/g, 'N')}`
    : typeof error;
}
