import { systemCode, TailraceError } from '../../common/errors.ts';

/**
 * The bytes of a backup as its maker sends them.
 * @param maker who says more when it ends early: `server`, `viewer`
 * @throws TailraceError `unavailable` when the connection ends before the backup does
 */
export async function* receiveBackup(
  body: AsyncIterable<Uint8Array>,
  maker: string,
): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const piece of body) yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
  } catch (cause) {
    throw new TailraceError(
      'unavailable',
      `The ${maker} ended the backup before it was whole (${systemCode(cause) || String(cause)}): its own log has the cause.`,
      { cause },
    );
  }
}
