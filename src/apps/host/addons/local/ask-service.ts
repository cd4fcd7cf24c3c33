/** Asking a service what it is like, which may hang. */
import { reasonOf, TailraceError } from '../../../../common/errors.ts';

const ASK_TIMEOUT_MS = 3_000;

/**
 * @param name the add-on's
 * @param ask asks it; `late` is aborted when nobody waits any more, and its connection is to be cut
 * @throws TailraceError `unavailable` when it fails, or doesn't answer in time
 */
export async function askService<T>(name: string, ask: (late: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    const noAnswer = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`nothing came within ${ASK_TIMEOUT_MS / 1_000} seconds`));
        late.abort();
      }, ASK_TIMEOUT_MS);
    });
    return await Promise.race([ask(late.signal), noAnswer]);
  } catch (error) {
    throw new TailraceError('unavailable', `${name} doesn't answer: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
