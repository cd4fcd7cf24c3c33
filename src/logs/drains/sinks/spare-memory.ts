/** Pieces that are kept; more than these are rarely under way at once. */
const PIECES_MAX = 4;
/** Small shipments aren't worth keeping memory for; a stuck or idle drain holds none. */
const BYTES_MIN = 65_536;
/** Asked for a little more, so that the next shipment fits too. */
const ROUND_BYTES = 131_072;

/**
 * Memory for what is written to a socket, used again when it has left: hundreds of megabytes a second of new buffers
 * would keep the garbage collector busier than the lines do.
 */
export class SpareMemory {
  private readonly pieces: Buffer[] = [];

  /** At least `bytes` of memory, with whatever stands in it. */
  take(bytes: number): Buffer {
    const index = this.pieces.findIndex((piece) => piece.length >= bytes);
    if (index >= 0) return this.pieces.splice(index, 1)[0];
    if (bytes < BYTES_MIN) return Buffer.allocUnsafe(bytes);
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / ROUND_BYTES) * ROUND_BYTES);
  }

  /** Takes back what `take` gave, or a part of it from its beginning. */
  giveBack(bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer.byteLength < BYTES_MIN || bytes.byteOffset !== 0 || this.pieces.length >= PIECES_MAX) return;
    this.pieces.push(Buffer.from(buffer, 0, buffer.byteLength));
  }
}
