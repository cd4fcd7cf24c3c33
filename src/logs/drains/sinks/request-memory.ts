import type { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import type { RequestBodyPool } from '../http-format.ts';

/** Bytes in front of a body. */
const ROOM = 2_048;

/** Memory of a pool with room in front of each body: the request's head goes there, and both to the socket in one piece. */
export class RequestMemory implements RequestBodyPool {
  private readonly pool: BufferPool;

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  acquire(bytes: number): Buffer {
    return this.pool.acquire(bytes + ROOM).subarray(ROOM);
  }

  release(body: Uint8Array): boolean {
    return this.isOwn(body) && this.pool.release(Buffer.from(body.buffer, 0, ROOM));
  }

  /** A request of its head and its body, in pieces. */
  join(head: string, body: Buffer): readonly Buffer[] {
    const length = Buffer.byteLength(head, 'latin1');
    if (!this.isOwn(body) || length > ROOM) return [Buffer.from(head, 'latin1'), body];
    const request = Buffer.from(body.buffer, ROOM - length, length + body.length);
    request.write(head, 0, 'latin1');
    return [request];
  }

  /** Bodies may be made elsewhere, and small ones are in memory that many share. */
  private isOwn(body: Uint8Array): boolean {
    return body.byteOffset === ROOM && this.pool.owns(body);
  }
}
