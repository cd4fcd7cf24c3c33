import { SMALL_LETTERS } from './line-fields.ts';

const FIRST_SLOTS = 1_024;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Texts that occur again and again, each with a number, by the owner that they are of: looked up by their bytes, without making strings. */
export class ValueTable {
  private slots = new Int32Array(FIRST_SLOTS).fill(-1);
  private hashes = new Int32Array(FIRST_SLOTS / 2);
  private starts = new Int32Array(FIRST_SLOTS / 2);
  private owners = new Uint16Array(FIRST_SLOTS / 2);
  private lengths = new Uint8Array(FIRST_SLOTS / 2);
  private arena = Buffer.allocUnsafe(4_096);
  private arenaEnd = 0;
  /** How many there are. */
  size = 0;

  /**
   * The number of a text, from 0 in the order in which they came; -1 when it is new and `mayAdd` is false.
   * @param end at most 255 bytes behind `start`
   * @param isAnyCase is it kept in small letters?
   */
  find(
    owner: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isAnyCase: boolean,
    mayAdd: boolean,
  ): number {
    let hash = Math.imul(FNV_OFFSET ^ owner, FNV_PRIME);
    if (isAnyCase)
      for (let i = start; i < end; i++) hash = Math.imul(hash ^ SMALL_LETTERS[bytes[i]], FNV_PRIME);
    else for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], FNV_PRIME);
    const mask = this.slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const known = this.slots[slot];
      if (known === -1) break;
      if (this.hashes[known] === hash && this.isSame(known, owner, bytes, start, end, isAnyCase))
        return known;
      slot = (slot + 1) & mask;
    }
    return mayAdd ? this.add(slot, hash, owner, bytes, start, end, isAnyCase) : -1;
  }

  /** A value by its number, a character a byte. */
  text(index: number): string {
    const start = this.starts[index];
    return this.arena.toString('latin1', start, start + this.lengths[index]);
  }

  private isSame(
    index: number,
    owner: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isAnyCase: boolean,
  ): boolean {
    if (this.owners[index] !== owner || this.lengths[index] !== end - start) return false;
    const { arena } = this;
    const at = this.starts[index] - start;
    for (let i = start; i < end; i++)
      if (arena[at + i] !== (isAnyCase ? SMALL_LETTERS[bytes[i]] : bytes[i])) return false;
    return true;
  }

  private add(
    slot: number,
    hash: number,
    owner: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isAnyCase: boolean,
  ): number {
    const index = this.size++;
    while (this.arenaEnd + end - start > this.arena.length) {
      const larger = Buffer.allocUnsafe(this.arena.length * 2);
      this.arena.copy(larger);
      this.arena = larger;
    }
    this.hashes[index] = hash;
    this.owners[index] = owner;
    this.starts[index] = this.arenaEnd;
    this.lengths[index] = end - start;
    for (let i = start; i < end; i++)
      this.arena[this.arenaEnd++] = isAnyCase ? SMALL_LETTERS[bytes[i]] : bytes[i];
    this.slots[slot] = index;
    if (this.size === this.hashes.length) this.grow();
    return index;
  }

  private grow(): void {
    const count = this.slots.length * 2;
    const enlarged = <T extends Int32Array | Uint16Array | Uint8Array>(old: T, larger: T): T => {
      larger.set(old);
      return larger;
    };
    this.hashes = enlarged(this.hashes, new Int32Array(count / 2));
    this.starts = enlarged(this.starts, new Int32Array(count / 2));
    this.owners = enlarged(this.owners, new Uint16Array(count / 2));
    this.lengths = enlarged(this.lengths, new Uint8Array(count / 2));
    this.slots = new Int32Array(count).fill(-1);
    for (let index = 0; index < this.size; index++) {
      const hash = this.hashes[index];
      let slot = (hash ^ (hash >>> 15)) & (count - 1);
      while (this.slots[slot] !== -1) slot = (slot + 1) & (count - 1);
      this.slots[slot] = index;
    }
  }
}
