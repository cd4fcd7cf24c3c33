import type { Socket } from 'node:net';
import type { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import { Deadline } from '../../../common/limits/deadline.ts';
import type { EncoderMemory, WasmSlots } from '../../../common/wasm/wasm-slots.ts';
import type { Sequence } from '../../store/contract.ts';
import { syslogLineEncoder } from '../../syslog/encode.ts';
import { codecMemory } from '../../syslog/wasm/wasm-codec.ts';
import type { ShipmentEncoder } from '../encoders/encode-text.ts';
import type { RequestBodyPool } from '../http-format.ts';
import type { DrainRecord, DrainTarget } from '../options/drain-record.ts';
import { type LossNotice, type Outlet, OutletError } from '../outlet.ts';
import { encodeShipment, type Shipment } from '../shipment.ts';
import { ArrivedBytes, READ_WITHIN_MS } from './arrived-bytes.ts';
import { type Dialer, type OnPhase, type TlsOptions, toOutletError } from './dialer.ts';
import type { SendQueues } from './send-queues.ts';

/** Twice what requests have: a destination has no limit for what is written at once, and each write costs as much as a hundred lines. */
const SHIPMENT_BYTES_MAX = 524_288;
/**
 * High-water mark: the next shipment waits while more than this is buffered in the socket. What is there is sent even when the drain's lease
 * is lost meanwhile.
 */
const WRITE_BUFFER_BYTES_MAX = 262_144;
/**
 * TCP doesn't report what the destination has read. What was written this many bytes ago has left the buffers of both
 * systems (Linux: 4 MiB to send, 32 MiB to receive at the most by default, and far less in practice), and what was written a second ago on
 * a connection that is still open has arrived, if the destination's system has acknowledged it. Everything else is sent again after a break.
 */
const CONFIRMED_AFTER_BYTES = 32 * 1_048_576;
/** What the system hasn't acknowledged is asked for this often. */
const LOOK_INTERVAL_MS = 500;
/** A timer may fire this much early by another clock. */
const TIMER_EARLY_MS = 2;
/** A connection on which nothing can be written for this long, or nothing arrives, is closed. */
const WRITE_TIMEOUT_MS = 30_000;
/** Of what a destination says, which nobody reads, so much is taken in a second. */
const INPUT_BYTES_A_SECOND = 1_048_576;
const CLOSED = 'the connection was closed';
const TOOK_NOTHING = `the destination took nothing for ${WRITE_TIMEOUT_MS / 1_000} s`;

export interface SyslogOutletOptions {
  readonly drain: DrainRecord;
  readonly target: DrainTarget;
  readonly tls: TlsOptions;
  readonly dialer: Dialer;
  /** Memory for shipments. */
  readonly pool: BufferPool;
  /** Of the module that encodes them. */
  readonly memory: () => EncoderMemory;
  readonly sendQueues: SendQueues;
  readonly onPhase?: OnPhase;
  /** Writes the lines; left out: as Heroku's syslog drains do. */
  readonly encode?: ShipmentEncoder;
}

/** Delivers over syslog TCP or TLS: RFC 5424, octet counted (RFC 6587), HOSTNAME the drain's token as Heroku has it. */
export class SyslogOutlet implements Outlet {
  readonly shipmentBytesMax = SHIPMENT_BYTES_MAX;
  readonly hasFrameIds = false;
  readonly lastAnswer = '';
  private readonly options: SyslogOutletOptions;
  private readonly encoder;
  private readonly memory: RequestBodyPool;
  private socket: Socket | undefined;
  private failure: OutletError | undefined;
  private acceptedUpTo: Sequence = 0;
  /** What was written and isn't confirmed, oldest first; `atMs` is on the clock of `performance.now()`. */
  private readonly unconfirmed: { last: Sequence; writtenUpTo: number; atMs: number }[] = [];
  private writtenBytes = 0;
  private arrived = new ArrivedBytes();
  private looking: Promise<void> | undefined;
  /** On the clock of `performance.now()`. */
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private readonly closing = new AbortController();

  constructor(options: SyslogOutletOptions) {
    this.options = options;
    const { pool, memory } = options;
    this.memory = {
      acquire: (bytes) => pool.acquire(bytes),
      acquireSlot: (slots, bytes = 0) => slots.acquire(bytes),
      release: (bytes) => memory().bodies.release(bytes) || pool.release(bytes),
    };
    this.encoder = syslogLineEncoder(options.drain.token);
  }

  get lineMemory(): WasmSlots {
    return this.options.memory().lines;
  }

  async send(shipment: Shipment, notice: LossNotice | undefined): Promise<Sequence> {
    this.socket ??= await this.connect();
    const { socket } = this;
    const bytes =
      this.options.encode?.(shipment, notice, this.memory) ??
      encodeShipment(shipment, this.encoder, notice && this.lossNoticeFrame(notice), (size) =>
        this.acquire(size),
      );
    this.writtenBytes += bytes.length;
    if (bytes.length > 0) this.write(socket, bytes);
    else this.memory.release(bytes);
    this.unconfirmed.push({ last: shipment.last, writtenUpTo: this.writtenBytes, atMs: performance.now() });
    if (socket.writableLength > WRITE_BUFFER_BYTES_MAX) await this.waitForDrain(socket);
    if (this.failure) throw this.failure;
    return this.confirm();
  }

  async flush(): Promise<Sequence> {
    const { socket } = this;
    const newest = this.unconfirmed.at(-1);
    if (newest && socket) {
      // It is looked at while that second passes: whoever hands the drain over has little more than that.
      await Promise.all([
        this.waitWhileOpen(socket, newest.atMs + READ_WITHIN_MS + TIMER_EARLY_MS - performance.now()),
        this.waitForArrival(socket, newest.writtenUpTo),
      ]);
      if (socket.destroyed) this.failure ??= new OutletError(CLOSED);
    }
    if (this.failure) throw this.failure;
    return this.confirm();
  }

  private async waitForArrival(socket: Socket, bytes: number): Promise<void> {
    for (;;) {
      await this.look(socket);
      if (socket.destroyed || this.failure || this.arrived.count >= bytes) return;
      await this.waitWhileOpen(socket, LOOK_INTERVAL_MS);
    }
  }

  async close(): Promise<void> {
    this.failure ??= new OutletError(CLOSED);
    this.closing.abort(this.failure);
    this.socket?.destroy();
  }

  private acquire(bytes: number): Buffer {
    return this.memory.acquireSlot?.(codecMemory.bodies, bytes) ?? this.memory.acquire(bytes);
  }

  private write(socket: Socket, bytes: Buffer): void {
    const { onPhase } = this.options;
    const beganMs = performance.now();
    let isTaken = false;
    socket.write(bytes, () => {
      // Of one that failed the connection is closed: nobody reads it either.
      if (!isTaken) this.memory.release(bytes);
      onPhase?.('send', performance.now() - beganMs);
    });
    // The system has taken all of it: the callback comes only when the event loop gets its turn, behind the next shipments.
    isTaken = socket.writableLength === 0;
    if (isTaken) this.memory.release(bytes);
  }

  /** Asks the system what of all that was written has arrived; one question at a time. */
  private look(socket: Socket): Promise<void> {
    this.looking ??= this.lookOnce(socket).finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async lookOnce(socket: Socket): Promise<void> {
    const { arrived, unconfirmed } = this;
    let written = 0;
    let given = 0;
    const queued = await this.options.sendQueues.queuedBytes(socket, () => {
      this.lookedAtMs = performance.now();
      written = this.writtenBytes;
      given = written - socket.writableLength;
    });
    // It is closed, which is told here next.
    if (queued === undefined || this.socket !== socket) return;
    const acknowledged = given - queued;
    arrived.look(
      this.lookedAtMs,
      acknowledged,
      acknowledged === written,
      (ms) => unconfirmed.findLast(({ atMs }) => atMs <= ms)?.writtenUpTo ?? 0,
    );
    if (arrived.stalledMs(this.lookedAtMs) < WRITE_TIMEOUT_MS) return;
    this.failure ??= new OutletError(TOOK_NOTHING);
    socket.destroy();
  }

  /** Advances over what has certainly arrived. */
  private confirm(): Sequence {
    const { unconfirmed, socket, writtenBytes } = this;
    const now = performance.now();
    const confirmedBefore = now - READ_WITHIN_MS;
    let count = 0;
    for (const { last, writtenUpTo, atMs } of unconfirmed) {
      const arrived = writtenUpTo <= writtenBytes - CONFIRMED_AFTER_BYTES;
      if (!arrived && atMs > confirmedBefore) break;
      if (!arrived && writtenUpTo > this.arrived.count) {
        if (socket && !this.looking && now - this.lookedAtMs > LOOK_INTERVAL_MS) void this.look(socket);
        break;
      }
      this.acceptedUpTo = last;
      count++;
    }
    if (count > 0) unconfirmed.splice(0, count);
    return this.acceptedUpTo;
  }

  private async connect(): Promise<Socket> {
    const { dialer, target, tls, onPhase } = this.options;
    const { host, port, secure } = target;
    const socket = await dialer.dial(
      { host, port, tls: secure ? tls : undefined },
      onPhase,
      this.closing.signal,
    );
    const onConnectionLost = (error: OutletError): void => {
      socket.destroy();
      if (this.socket !== socket) return;
      // Nothing was in flight: the destination may close an idle connection; the next lines open a new one.
      if (this.unconfirmed.length === 0) this.socket = undefined;
      else this.failure ??= error;
    };
    socket.on('error', (error) => onConnectionLost(toOutletError(error)));
    // Syslog has no responses: when the destination closes, it may not have read everything.
    socket.on('end', () => onConnectionLost(new OutletError('the destination closed the connection')));
    socket.on('close', () => onConnectionLost(new OutletError(CLOSED)));
    discardInput(socket);
    return socket;
  }

  /** Waits until the socket is writable again. */
  private waitForDrain(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      if (socket.destroyed) return resolve();
      const deadline = new Deadline(WRITE_TIMEOUT_MS, () => {
        this.failure ??= new OutletError(TOOK_NOTHING);
        done();
      });
      const done = (): void => {
        deadline.clear();
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  /** Waits for a time, or until the connection closes. */
  private waitWhileOpen(socket: Socket, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (socket.destroyed) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        socket.off('close', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, forMs));
      socket.on('close', done);
    });
  }

  private lossNoticeFrame(notice: LossNotice): Buffer {
    const line = Buffer.from(
      `<172>1 ${notice.timestamp} ${this.options.drain.token} heroku logplex - - ${notice.message}\n`,
    );
    return Buffer.concat([Buffer.from(`${line.length} `), line]);
  }
}

/** Takes what comes, to see when the connection ends; no faster than anything may come to speak of. */
function discardInput(socket: Socket): void {
  let bytes = 0;
  let sinceMs = performance.now();
  socket.on('data', ({ length }: Buffer) => {
    const now = performance.now();
    if (now - sinceMs >= 1_000) {
      bytes = 0;
      sinceMs = now;
    }
    bytes += length;
    if (bytes < INPUT_BYTES_A_SECOND) return;
    socket.pause();
    setTimeout(() => socket.resume(), sinceMs + 1_000 - now).unref();
  });
}
