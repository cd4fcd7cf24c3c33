/**
 * Memory of which is counted who uses it: when nobody does any more, it is given back, to be used for something else. Left to the garbage
 * collector, it would look like memory that grows, and V8 would mark the whole heap again and again.
 *
 * Whoever needs bytes longer than the call in which it got them retains them, and releases them as often. To retain them and never release
 * them is right, too: then the garbage collector has them.
 */
export class CountedMemory {
  private readonly bytes: Uint8Array;
  private readonly giveBack: (bytes: Uint8Array) => void;
  /** The first is who made it. */
  private users = 1;

  /** @param giveBack is called when nobody reads the bytes any more */
  constructor(bytes: Uint8Array, giveBack: (bytes: Uint8Array) => void) {
    this.bytes = bytes;
    this.giveBack = giveBack;
  }

  /** One more reads the bytes: for who needs them longer than this call. */
  retain(): void {
    this.users++;
  }

  /** Once for who made it, and once for each {@link retain}; the bytes may be overwritten from now on. */
  release(): void {
    if (--this.users === 0) this.giveBack(this.bytes);
  }
}
