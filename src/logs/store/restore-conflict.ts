import { TailraceError } from '../../common/errors.ts';
import type { Sequence } from './contract.ts';

/** The refusal to restore a batch behind lines that have its numbers already. */
export function restoreConflict(first: Sequence): TailraceError {
  return new TailraceError(
    'conflict',
    `The stream already has lines numbered ${first} or above: batches are restored in their order, into a stream that nothing else is added to.`,
  );
}
