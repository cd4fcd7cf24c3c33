import { reasonOf, systemCode } from '../errors.ts';

/**
 * What becomes of a program whose output can't be written. What a server prints, and its own log, are copies: it goes on without them while a
 * disk is full. Whoever prints a result has failed.
 * @param onClosed the reader has read enough, as `head` does
 * @param isServer asked when it happens
 */
export function handleOutputErrors(onClosed: () => void, isServer: () => boolean): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error) => {
    if (systemCode(error) === 'EPIPE') onClosed();
    else if (!isServer()) {
      process.stderr.write(
        ` ›   Error: Standard output can't be written (${reasonOf(error)}): what is there isn't all.\n`,
      );
      process.exit(1);
    }
  });
}
