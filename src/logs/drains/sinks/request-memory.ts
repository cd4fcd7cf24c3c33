import type { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import type { WasmSlots } from '../../../common/wasm/wasm-slots.ts';
import type { RequestBodyPool } from '../http-format.ts';

/** Bytes in front of a body. */
const ROOM = 2_048;

/**
 * Memory of bodies, with room in front of each: the request's head goes there, and both to the socket in one piece. It is of the module
 * that encodes them, or of a pool.
 */
export class RequestMemory implements RequestBodyPool {
  private readonly pool: BufferPool;
  /** What was given and isn't released, with the room. */
  private readonly given: { readonly whole: Buffer; readonly slots: WasmSlots | undefined }[] = [];

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  acquire(bytes: number): Buffer {
    return this.give(this.pool.acquire(bytes + ROOM));
  }

  acquireSlot(slots: WasmSlots, bytes = 0): Buffer | undefined {
    const slot = slots.acquire(bytes + ROOM);
    return slot && this.give(slot, slots);
  }

  release(body: Uint8Array): boolean {
    const index = this.indexOf(body);
    if (index === -1) return false;
    const [{ whole, slots }] = this.given.splice(index, 1);
    return slots ? slots.release(whole) : this.pool.release(whole);
  }

  /** Nobody reads any body that was given: it is released. */
  releaseAll(): void {
    for (const { whole, slots } of this.given) if (!slots?.release(whole)) this.pool.release(whole);
    this.given.length = 0;
  }

  /** A request of its head and its body, in pieces. */
  join(head: string, body: Buffer): readonly Buffer[] {
    const length = Buffer.byteLength(head, 'latin1');
    if (this.indexOf(body) === -1 || length > ROOM) return [Buffer.from(head, 'latin1'), body];
    const request = Buffer.from(body.buffer, body.byteOffset - length, length + body.length);
    request.write(head, 0, 'latin1');
    return [request];
  }

  private give(whole: Buffer, slots?: WasmSlots): Buffer {
    this.given.push({ whole, slots });
    return whole.subarray(ROOM);
  }

  private indexOf({ buffer, byteOffset }: Uint8Array): number {
    return this.given.findIndex(
      ({ whole }) => whole.buffer === buffer && whole.byteOffset + ROOM === byteOffset,
    );
  }
}
