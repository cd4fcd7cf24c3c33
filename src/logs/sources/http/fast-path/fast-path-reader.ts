/**
 * Reads the requests of a fast-path connection out of the bytes that come, one after the other: decisions only, without a socket.
 * {@link FastPathConnection} executes them. The next request is read when the one before it has been answered.
 */

import { BufferPool } from '../../../../common/buffers/buffer-pool.ts';
import { ChunkList } from '../../../../common/buffers/chunk-list.ts';
import { detachBuffer } from '../../../../common/buffers/detach-buffer.ts';
import { type FastPathHead, readFastPathHead } from './fast-path-head.ts';

/** What the connection has to do now. */
export const ReadStep = {
  /** Nothing: more bytes have to come. */
  needsBytes: 0,
  /** Look up the token of {@link FastPathReader.head}; then {@link FastPathReader.acceptHead}, or give the connection to Node. */
  headRead: 1,
  /** Store {@link FastPathReader.body} and respond; then {@link FastPathReader.next}. */
  requestRead: 2,
  /** Give the connection to Node, with {@link FastPathReader.unread}. */
  notFastPath: 3,
  /** Pause reading: bytes came while the request before them is looked up or answered. They are kept. */
  pipelined: 4,
} as const;
export type ReadStep = (typeof ReadStep)[keyof typeof ReadStep];

/** What a connection waits for; `look-up` and `response` are ours to do. */
export type FastPathState = 'first request' | 'look-up' | 'body' | 'response' | 'next request';

const NOTHING = Buffer.alloc(0);
/** Copies of bodies that are kept for later ones: 128 KB each at the most. */
const BODIES_MAX = 64;
const POOLED_BYTES_MIN = 4_096;
const STEP_BYTES = 16_384;
/** Memory for bodies that are needed longer than they are in shared memory, which most are until they are stored. */
const bodies = new BufferPool({
  buffersMax: BODIES_MAX,
  pooledBytesMin: POOLED_BYTES_MIN,
  stepBytes: STEP_BYTES,
});

export class FastPathReader {
  /** What is read into it is overwritten by the next read: see {@link keep}. */
  private readonly shared: Buffer | undefined;
  waitsFor: FastPathState = 'first request';
  /** Its body, at `requestRead`; call {@link releaseBody} as soon as it isn't read any more. */
  body: Buffer = NOTHING;
  /** What has come, from the start of a request on whose head isn't accepted. */
  unread: Buffer = NOTHING;
  /** Memory that holds the body, and nothing that is read later. */
  private bodyMemory: Buffer = NOTHING;
  /** What has come of a body that isn't there in full. */
  private readonly bodyChunks = new ChunkList();
  private missingBytes = 0;
  private pipelined: Buffer | undefined;
  private current: FastPathHead | undefined;

  /** @param shared that of bytes that are overwritten when {@link keep} was called: they are used where they are until then */
  constructor(shared?: Buffer) {
    this.shared = shared;
  }

  /** The head of the request that is read or answered, from `headRead` on. */
  get head(): FastPathHead {
    if (!this.current) throw new Error('there is no request');
    return this.current;
  }

  /** A request is looked up or answered: the connection must not be closed, and nothing is read. */
  get isBusy(): boolean {
    return this.waitsFor === 'response' || this.waitsFor === 'look-up';
  }

  /** Bytes have come that belong to the next request. */
  get hasPipelined(): boolean {
    return this.pipelined !== undefined;
  }

  /** Takes bytes that came. */
  receive(bytes: Buffer): ReadStep {
    switch (this.waitsFor) {
      case 'body':
        return this.readBody(bytes, bytes);
      case 'response':
        this.pipelined = this.pipelined ? Buffer.concat([this.pipelined, bytes]) : bytes;
        return ReadStep.pipelined;
      case 'look-up':
        this.unread = Buffer.concat([this.unread, bytes]);
        return ReadStep.pipelined;
      default:
        return this.readHead(bytes);
    }
  }

  /** What has come is overwritten now: copies what is needed of it. */
  keep(): void {
    this.unread = this.copyIfShared(this.unread);
    this.pipelined &&= this.copyIfShared(this.pipelined);
    this.keepBody();
  }

  /** The same of the body alone. */
  keepBody(): void {
    const { body } = this;
    if (!this.isShared(body)) return;
    this.body = bodies.acquire(body.length).subarray(0, body.length);
    this.body.set(body);
    this.bodyMemory = this.body;
  }

  private isShared(bytes: Buffer): boolean {
    return this.shared !== undefined && bytes.buffer === this.shared.buffer;
  }

  private copyIfShared(bytes: Buffer): Buffer {
    return this.isShared(bytes) ? Buffer.from(bytes) : bytes;
  }

  /** The source of the request whose head was read is known: reads its body. */
  acceptHead(): ReadStep {
    const { head, unread } = this;
    this.waitsFor = 'body';
    this.unread = NOTHING;
    this.missingBytes = head.length;
    return this.readBody(unread.subarray(head.text.length), unread);
  }

  /** The request, whose body was read, is for Node after all: it is {@link unread}, and so is what came behind it. */
  putBack(): void {
    const { head, body, pipelined } = this;
    const parts = [Buffer.from(head.text, 'latin1'), body];
    this.unread = Buffer.concat(pipelined ? [...parts, pipelined] : parts);
    this.pipelined = undefined;
  }

  /** Nobody reads the body any more: gives its memory back. */
  releaseBody(): void {
    if (!bodies.release(this.bodyMemory)) detachBuffer(this.bodyMemory);
    this.body = NOTHING;
    this.bodyMemory = NOTHING;
  }

  /** The request was answered: reads on, what has come meanwhile first. */
  next(): ReadStep {
    const { pipelined } = this;
    this.waitsFor = 'next request';
    this.body = NOTHING;
    this.bodyMemory = NOTHING;
    this.pipelined = undefined;
    return pipelined ? this.readHead(pipelined) : ReadStep.needsBytes;
  }

  /** `bytes` start with a request. */
  private readHead(bytes: Buffer): ReadStep {
    this.unread = bytes;
    const head = readFastPathHead(bytes, this.current);
    if (!head) return ReadStep.notFastPath;
    this.current = head;
    this.waitsFor = 'look-up';
    return ReadStep.headRead;
  }

  /** `bytes`, which came in `chunk`, are the rest of the body, or some of it, and what comes behind it. */
  private readBody(bytes: Buffer, chunk: Buffer): ReadStep {
    const { missingBytes } = this;
    if (bytes.length < missingBytes) {
      if (this.isShared(bytes)) this.bodyChunks.add(copyOf(bytes));
      else this.bodyChunks.add(bytes, chunk);
      this.missingBytes -= bytes.length;
      return ReadStep.needsBytes;
    }
    const isWhole = bytes.length === missingBytes;
    let body = isWhole ? bytes : bytes.subarray(0, missingBytes);
    let memory = isWhole ? chunk : body;
    if (!this.bodyChunks.isEmpty) {
      this.bodyChunks.add(body, isWhole && !this.isShared(chunk) ? chunk : NOTHING);
      body = this.bodyChunks.take();
      memory = body;
    }
    this.waitsFor = 'response';
    this.body = body;
    this.bodyMemory = memory;
    if (!isWhole) this.pipelined = bytes.subarray(missingBytes);
    return ReadStep.requestRead;
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
