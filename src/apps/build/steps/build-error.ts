/** A build that failed for a reason its owner can fix: the message says what to do. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}
