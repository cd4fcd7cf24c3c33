/** Pieces that are kept; more than these are rarely under way at once. */
const PIECES_MAX = 8;
/** Smaller ones aren't worth keeping. */
const BYTES_MIN = 32_768;
const ROUND_BYTES = 131_072;

/** Memory to pack batches in, used again when Redis has answered: new buffers all the time cost more than the packing. */
export class PackingMemory {
  private readonly pieces: Buffer[] = [];

  take(bytes: number): Buffer {
    if (bytes < BYTES_MIN) return Buffer.allocUnsafe(bytes);
    const index = this.pieces.findIndex((piece) => piece.length >= bytes);
    if (index >= 0) return this.pieces.splice(index, 1)[0];
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / ROUND_BYTES) * ROUND_BYTES);
  }

  /** Takes back what {@link take} gave. */
  giveBack(pieces: readonly Buffer[]): void {
    for (const piece of pieces)
      if (piece.length >= ROUND_BYTES && this.pieces.length < PIECES_MAX) this.pieces.push(piece);
  }
}
