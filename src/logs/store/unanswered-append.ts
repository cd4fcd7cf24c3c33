import { type ErrorCode, TailraceError } from '../../common/errors.ts';

/**
 * An append was sent and its answer never came: it isn't known yet whether the lines are stored. Appended again as the same
 * {@link Batch}, they are stored once; whoever doesn't do that can find out by {@link stored} what became of them.
 */
export class UnansweredAppend extends TailraceError {
  /** Resolves when it is known whether the lines are stored, and stays pending until then; what isn't stored then never will be. */
  readonly stored: Promise<boolean>;

  constructor(code: ErrorCode, message: string, cause: unknown, stored: Promise<boolean>) {
    super(code, message, { cause });
    this.stored = stored;
  }
}
