/** Pieces of a WebAssembly module's memory that are lent: what the module reads there, or has written there, needn't be copied. */
export class WasmSlots {
  /** All of the module's: it never grows, so what was made of it stays. */
  private readonly memory: ArrayBuffer;
  private readonly start: number;
  private readonly slotBytes: number;
  private readonly free: number[] = [];
  private readonly lent = new Set<number>();

  /**
   * @param memory of the module
   * @param start of the region of the slots, which has {@link slotRegionBytes}
   * @param slotBytes of each
   */
  constructor(memory: Uint8Array, start: number, slotBytes: number, count: number) {
    this.memory = memory.buffer as ArrayBuffer;
    this.start = start;
    this.slotBytes = slotBytes;
    for (let slot = count - 1; slot >= 0; slot--) this.free.push(slot);
  }

  /** At least so many bytes, with any content; undefined when none are free, or they are too small. */
  acquire(bytes: number): Buffer | undefined {
    if (bytes > this.slotBytes) return undefined;
    // What was given back last is most likely in the processor's cache.
    const slot = this.free.pop();
    if (slot === undefined) return undefined;
    this.lent.add(slot);
    return Buffer.from(this.memory, this.start + slot * stride(this.slotBytes), this.slotBytes);
  }

  /** Takes back a slot, or any part of it: nobody reads it any more. False when it isn't lent, or no slot. */
  release({ buffer, byteOffset }: Uint8Array): boolean {
    if (buffer !== this.memory) return false;
    const slot = Math.floor((byteOffset - this.start) / stride(this.slotBytes));
    if (!this.lent.delete(slot)) return false;
    this.free.push(slot);
    return true;
  }
}

/** Behind each slot: reads and writes of a module may run over its end. */
const SLACK_BYTES = 64;

function stride(slotBytes: number): number {
  return Math.ceil(slotBytes / SLACK_BYTES) * SLACK_BYTES + SLACK_BYTES;
}

/** Bytes of the region for slots. */
export function slotRegionBytes(slotBytes: number, count: number): number {
  return stride(slotBytes) * count;
}

/** What drains use of the memory of the module that encodes their lines. */
export interface EncoderMemory {
  /** For lines that are read from the store. */
  readonly lines: WasmSlots;
  /** For what is sent. */
  readonly bodies: WasmSlots;
}

/** A drain that catches up reads so many bytes at a time, and up to an entry more. */
const READ_SLOT_BYTES = 9 * 1_048_576;
const READ_SLOTS = 2;
/** What 256 KiB of records become in the longest form, unless their lines are very short or nearly all of it is escaped. */
const BODY_SLOT_BYTES = 2_097_152;
const BODY_SLOTS = 4;

export const ENCODER_REGIONS = {
  lines: slotRegionBytes(READ_SLOT_BYTES, READ_SLOTS),
  bodies: slotRegionBytes(BODY_SLOT_BYTES, BODY_SLOTS),
};

/** @param regions where a module has the regions of {@link ENCODER_REGIONS} */
export function encoderMemory(
  memory: Uint8Array,
  regions: { readonly lines: number; readonly bodies: number },
): EncoderMemory {
  return {
    lines: new WasmSlots(memory, regions.lines, READ_SLOT_BYTES, READ_SLOTS),
    bodies: new WasmSlots(memory, regions.bodies, BODY_SLOT_BYTES, BODY_SLOTS),
  };
}
