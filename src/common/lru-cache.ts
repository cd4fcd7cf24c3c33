/**
 * A map that holds a limited number of entries: those that were used last. Two generations, as in hashlru and quick-lru: an entry
 * that is used moves to the young one, and when that is full, it becomes the old one, whose entries go. So a hit in the young
 * generation costs no more than one in a `Map`, where keeping an exact order would cost a write each time.
 */
export class LruCache<K, V extends NonNullable<unknown>> {
  private readonly generationMax: number;
  private young = new Map<K, V>();
  private old = new Map<K, V>();

  /** @param entriesMax how many entries are held at the most; half of them at the least are those that were used last. */
  constructor(entriesMax: number) {
    this.generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  /** Undefined when it isn't held, or not any more. */
  get(key: K): V | undefined {
    const value = this.young.get(key);
    return value === undefined ? this.promote(key) : value;
  }

  /** Holds an entry, for which others may go. */
  set(key: K, value: V): void {
    if (this.young.size >= this.generationMax && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  delete(key: K): void {
    this.young.delete(key);
    this.old.delete(key);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }

  private promote(key: K): V | undefined {
    const value = this.old.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }
}
