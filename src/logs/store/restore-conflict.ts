import { TailraceError } from '../../common/errors.ts';
import type { Sequence } from './contract.ts';

/** The error for a batch that can't be restored: the stream already has lines with its sequences, or later ones. */
export function restoreConflict(first: Sequence): TailraceError {
  return new TailraceError(
    'conflict',
    `The stream already has lines numbered ${first} or above: batches are restored in their order, into a stream that nothing else is added to.`,
  );
}
