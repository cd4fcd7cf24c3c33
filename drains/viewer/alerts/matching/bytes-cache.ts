/** Bytes longer than this aren't kept. */
const KEY_MAX = 40;
const SLOTS_MIN = 64;
/** It gets larger when so many were read anew, for each slot. */
const MISSES_A_SLOT = 4;
/** FNV-1a. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * What was found out about some bytes, of which lines have the same again and again, without making strings of them. It grows to a size
 * that is given, if there are so many; two that share a slot push each other out.
 */
export class BytesCache<T> {
  private readonly slotsMax: number;
  private slots = 0;
  private keys = new Uint8Array(0);
  private lengths = new Int8Array(0);
  private salts = new Uint8Array(0);
  private values: (T | undefined)[] = [];
  private misses = 0;

  /** @param slotsMax a power of two */
  constructor(slotsMax: number) {
    this.slotsMax = slotsMax;
  }

  /**
   * What is known of `bytes[start, end)`, or what `read` says, which is kept.
   * @param salt 0 to 255, which belongs to them
   */
  get(
    bytes: Buffer,
    start: number,
    end: number,
    salt: number,
    read: (bytes: Buffer, start: number, end: number) => T,
  ): T {
    const length = end - start;
    if (length > KEY_MAX) return read(bytes, start, end);
    let hash = OFFSET ^ salt;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], PRIME);
    hash ^= hash >>> 15;
    let slot = hash & (this.slots - 1);
    if (this.slots > 0 && this.lengths[slot] === length && this.salts[slot] === salt) {
      const { keys } = this;
      const base = slot * KEY_MAX;
      let i = 0;
      while (i < length && keys[base + i] === bytes[start + i]) i++;
      if (i === length) return this.values[slot] as T;
    }
    const value = read(bytes, start, end);
    if (this.misses++ >= this.slots * MISSES_A_SLOT) this.grow();
    slot = hash & (this.slots - 1);
    for (let i = 0; i < length; i++) this.keys[slot * KEY_MAX + i] = bytes[start + i];
    this.lengths[slot] = length;
    this.salts[slot] = salt;
    this.values[slot] = value;
    return value;
  }

  /** What was in it is found out again. */
  private grow(): void {
    this.misses = 0;
    if (this.slots === this.slotsMax) return;
    this.slots = Math.min(this.slotsMax, Math.max(SLOTS_MIN, this.slots * 4));
    this.keys = new Uint8Array(this.slots * KEY_MAX);
    this.lengths = new Int8Array(this.slots).fill(-1);
    this.salts = new Uint8Array(this.slots);
    this.values = new Array<T | undefined>(this.slots).fill(undefined);
  }
}
