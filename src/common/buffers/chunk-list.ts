import { detachBuffer } from './detach-buffer.ts';

/** Smaller chunks are copied together: a buffer of its own takes some hundred bytes beside what is in it. */
const COPIED_BYTES_MAX = 1_024;
/** They are copied into parts of so many bytes at the most. */
const PART_BYTES_MAX = 65_536;

/**
 * The chunks of a body, in their order. However small they are (a sender decides that, down to a byte each), they take about as much memory as there
 * are bytes in them.
 */
export class ChunkList {
  /** Of all chunks. */
  length = 0;
  private readonly parts: Buffer[] = [];
  /** What to give back when they are put together. */
  private readonly memory: Buffer[] = [];
  /** The part that small chunks are copied into, and how much of it is used. */
  private open: Buffer | undefined;
  private used = 0;

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** @param memory that has the chunk in it, and nothing that is needed later: it is given back when the chunks are put together */
  add(chunk: Buffer, memory: Buffer = chunk): void {
    if (chunk.length === 0) return;
    // Most bodies are one chunk: the first one isn't copied.
    if (this.isEmpty || chunk.length > COPIED_BYTES_MAX) {
      this.closePart();
      this.parts.push(chunk);
      this.memory.push(memory);
    } else this.copy(chunk);
    this.length += chunk.length;
  }

  /** All of them as one buffer, which is the chunk itself when there is only one; the list is empty afterwards. */
  take(): Buffer {
    this.closePart();
    const { parts, memory, length } = this;
    this.length = 0;
    if (parts.length === 1 && memory.length === 1) {
      memory.pop();
      return parts.pop() ?? EMPTY;
    }
    const whole = Buffer.concat(parts.splice(0), length);
    for (const one of memory.splice(0)) detachBuffer(one);
    return whole;
  }

  private copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      // No larger than what is there already: together they are at most twice as much.
      this.open ??= Buffer.allocUnsafeSlow(Math.min(PART_BYTES_MAX, Math.max(COPIED_BYTES_MAX, this.length)));
      const copied = chunk.copy(this.open, this.used, at);
      at += copied;
      this.used += copied;
      if (this.used === this.open.length) this.closePart();
    }
  }

  private closePart(): void {
    const { open, used } = this;
    if (!open) return;
    this.parts.push(open.subarray(0, used));
    this.memory.push(open);
    this.open = undefined;
    this.used = 0;
  }
}

const EMPTY = Buffer.alloc(0);
