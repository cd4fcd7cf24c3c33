/** Bytes longer than this aren't kept. */
const KEY_MAX = 48;
/** FNV-1a. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** What was found out about some bytes, of which lines have the same again and again: of bounded size, without making strings of them. */
export class BytesCache<T> {
  private readonly mask: number;
  private readonly keys: Uint8Array;
  private readonly lengths: Int8Array;
  private readonly salts: Uint8Array;
  private readonly values: (T | undefined)[];

  /** @param slots a power of two; two that share a slot push each other out */
  constructor(slots: number) {
    this.mask = slots - 1;
    this.keys = new Uint8Array(slots * KEY_MAX);
    this.lengths = new Int8Array(slots).fill(-1);
    this.salts = new Uint8Array(slots);
    this.values = new Array<T | undefined>(slots).fill(undefined);
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
    const slot = (hash ^ (hash >>> 15)) & this.mask;
    const base = slot * KEY_MAX;
    const { keys } = this;
    if (this.lengths[slot] === length && this.salts[slot] === salt) {
      let i = 0;
      while (i < length && keys[base + i] === bytes[start + i]) i++;
      if (i === length) return this.values[slot] as T;
    }
    const value = read(bytes, start, end);
    for (let i = 0; i < length; i++) keys[base + i] = bytes[start + i];
    this.lengths[slot] = length;
    this.salts[slot] = salt;
    this.values[slot] = value;
    return value;
  }
}
