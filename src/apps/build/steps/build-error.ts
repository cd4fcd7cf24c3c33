/** A build that failed for a reason its owner can fix: the message says what to do. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

/** @throws BuildError with the reason, when a build has been stopped: by its owner, by the server's end, or since it took too long */
export function throwIfStopped(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof BuildError) throw signal.reason;
  throw new BuildError('The build took too long, and was stopped.');
}
