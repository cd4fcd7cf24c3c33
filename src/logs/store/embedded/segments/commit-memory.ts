import { BufferPool } from '../../../../common/buffers/buffer-pool.ts';

/** Of the memory's pieces, unless a write is larger. */
const PIECE_BYTES = 1_048_576;
/** Pieces that are kept for the next file. */
const PIECES_KEPT = 40;

/** Of all files of commit logs: left to the garbage collector, they would look like memory that grows. */
const pieces = new BufferPool({ buffersMax: PIECES_KEPT, stepBytes: PIECE_BYTES });

/** The entries of a file of the commit log in memory, until all of them are in segments. */
export class CommitMemory {
  private readonly held: Buffer[] = [];
  /** Where the next bytes go in the newest piece. */
  private end = 0;

  /** Makes room for so many bytes that stay together: they go into {@link piece} from {@link at} on. */
  reserve(bytes: number): void {
    if (this.held.length > 0 && this.end + bytes <= this.piece.length) return;
    this.held.push(pieces.acquire(Math.max(bytes, PIECE_BYTES)));
    this.end = 0;
  }

  get piece(): Buffer {
    return this.held[this.held.length - 1];
  }

  get at(): number {
    return this.end;
  }

  /** So many bytes were written there, and stay. */
  keep(bytes: number): void {
    this.end += bytes;
  }

  /** Nobody reads it any more. */
  release(): void {
    for (const piece of this.held.splice(0)) pieces.release(piece);
  }
}
