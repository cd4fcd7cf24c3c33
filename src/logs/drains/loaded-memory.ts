/** The memory of lines that drains have read from the store and not sent yet. */
import { BufferPool } from '../../common/buffers/buffer-pool.ts';
import { PooledBuffers } from '../../common/buffers/pooled-buffers.ts';
import type { WasmSlots } from '../../common/wasm/wasm-slots.ts';
import type { ReadMemory } from '../store/contract.ts';

/** Bytes that are read at a time. */
const READ_BYTES = 1_048_576;
/** With more of them at once fewer cursors are written; so many drains of a process may have that much loaded at a time. */
const LARGE_READ_BYTES = 8_388_608;
const LARGE_READS_MAX = 2;
/** What is less isn't worth one of a few slots. */
const SLOT_BYTES_MIN = READ_BYTES;

/** Hundreds of megabytes a second of new memory would have the garbage collector look through everything all the time. */
const pool = new BufferPool({
  buffersMax: 3,
  pooledBytesMin: READ_BYTES / 4,
  stepBytes: READ_BYTES / 4,
});
let largeReads = 0;

/** Of one drain. */
export class LoadedMemory extends PooledBuffers implements ReadMemory {
  private isLarge = false;
  /** Of the module that encodes the lines, and what of it is in use. */
  private slots: WasmSlots | undefined;
  private readonly lent: Buffer[] = [];

  constructor() {
    super(pool);
  }

  /**
   * How many bytes to read; it is given back with {@link release}.
   * @param slots that much is read there, as long as one is free
   */
  reserve(slots?: WasmSlots): number {
    if (!this.isLarge && largeReads < LARGE_READS_MAX) {
      this.isLarge = true;
      largeReads++;
    }
    this.slots = this.isLarge ? slots : undefined;
    return this.isLarge ? LARGE_READ_BYTES : READ_BYTES;
  }

  override acquire(bytes: number): Buffer {
    const slot = bytes >= SLOT_BYTES_MIN ? this.slots?.acquire(bytes) : undefined;
    if (!slot) return super.acquire(bytes);
    this.lent.push(slot);
    return slot;
  }

  /** Nobody reads what was loaded any more. */
  override release(): void {
    super.release();
    for (const slot of this.lent) this.slots?.release(slot);
    this.lent.length = 0;
    if (this.isLarge) largeReads--;
    this.isLarge = false;
  }
}
