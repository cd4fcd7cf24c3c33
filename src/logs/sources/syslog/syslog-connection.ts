/** One connection of a sender, over TCP or TLS: its bytes are cut into frames, which a {@link LineReceiver} takes. */
import type { Socket } from 'node:net';
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { DETACHED_BYTES_MIN, detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { eventLoopBudget } from '../../../common/limits/turns.ts';
import { type ClientCertificate, normalizeAddress } from '../../router/source-rules.ts';
import { FrameScanner, FrameStatus, Patience } from '../../syslog/framing.ts';
import { TrackedConnection } from '../connection-limiter.ts';
import { FrameOutcome, LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import type { RejectionWarnings } from '../rejection-warnings.ts';
import { SourceResolver } from '../source-resolver.ts';
import type { SyslogListenerOptions } from '../syslog-listener.ts';
import type { OpenConnections } from './open-connections.ts';
import { PartialFrameBuffer } from './partial-frame-buffer.ts';
import { beginsWithProxyHeader } from './proxy-protocol.ts';

const NOTHING = Buffer.alloc(0);
/** A TLS handshake's record: content type 22, version 3.x (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;
/**
 * Frames that are taken one behind the other before others get their turn; those of the fast path don't count. What is left then of the chunks of all
 * connections shares the turns' budget.
 */
const FRAMES_A_TURN = 50;
/** Pauses before a token is looked up again that the store couldn't tell. */
const TOKEN_RETRY: BackoffRange = { firstMs: 50, maxMs: 2_000 };

/** The sender. */
export interface SyslogPeer {
  readonly address: string;
  /** The local port. */
  readonly port: number;
  readonly certificate?: ClientCertificate;
}

/** Registers a new connection with the limiter; undefined when there are too many: then it is closed. */
export function trackConnection(
  socket: Socket,
  { connectionLimiter }: SyslogListenerOptions,
  counters: ListenerCounters,
): TrackedConnection | undefined {
  const tracked = new TrackedConnection(normalizeAddress(socket.remoteAddress ?? 'unknown'), counters, () =>
    socket.destroy(),
  );
  socket.on('error', () => socket.destroy()); // a reset by the sender; what has come is taken
  if (!connectionLimiter.add(tracked)) {
    socket.destroy();
    return undefined;
  }
  socket.on('close', () => connectionLimiter.remove(tracked));
  return tracked;
}

/** What a listener's connections have in common, and how this one is tracked. */
export interface ConnectionContext {
  readonly counters: ListenerCounters;
  readonly rejectionWarnings: RejectionWarnings;
  readonly connections: OpenConnections;
  readonly tracked: TrackedConnection;
}

/** Takes lines from a connection until it ends. */
export function serveSyslogConnection(
  socket: Socket,
  peer: SyslogPeer,
  options: SyslogListenerOptions,
  context: ConnectionContext,
): void {
  socket.on('error', () => socket.destroy());
  options.connectionLimiter.handshakeFinished(context.tracked);
  context.counters.connections++;
  const connection = new SyslogConnection(socket, peer, options, context);
  socket.on('data', (data: Buffer) => connection.read(data));
  socket.on('end', () => connection.end());
}

class SyslogConnection {
  private readonly socket: Socket;
  private readonly peer: SyslogPeer;
  private readonly options: SyslogListenerOptions;
  private readonly context: ConnectionContext;
  private readonly receiver: LineReceiver;
  private readonly scanner = new FrameScanner();
  private readonly partialFrame = new PartialFrameBuffer();
  private chunk: Buffer = NOTHING;
  /** The chunk, with what was left before it. */
  private bytes: Buffer = NOTHING;
  private countedSkips = 0;
  private countedResyncs = 0;
  private countedOversized = 0;
  private isFirstChunk = true;
  /** For a token, or for this connection's next turn. */
  private isWaiting = false;
  private hasEnded = false;

  constructor(socket: Socket, peer: SyslogPeer, options: SyslogListenerOptions, context: ConnectionContext) {
    this.socket = socket;
    this.peer = peer;
    this.options = options;
    this.context = context;
    const { router, rules, rateLimiter } = options;
    this.receiver = new LineReceiver({
      router,
      counters: context.counters,
      host: peer.address,
      sourceResolver: new SourceResolver(router, rules, peer),
      rateLimiter,
      keepsFollowUps: true,
      isFireAndForget: true,
    });
    const { tracked } = context;
    // Its rest waits in the system while this server doesn't read it.
    tracked.onStalled = () => {
      if (!this.hasEnded && !this.isWaiting && !socket.isPaused()) this.takeRest(Patience.stalled);
    };
    tracked.onEnding = () => this.end();
  }

  read(data: Buffer): void {
    if (this.isFirstChunk && !this.acceptFirst(data)) return;
    this.isFirstChunk = false;
    this.chunk = data;
    this.bytes = this.partialFrame.join(data);
    this.scanner.setInput(this.bytes);
    this.processChunk();
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    if (!this.isWaiting) this.takeRest(Patience.ended);
  }

  /** False when nothing can be read of this connection: it is closed, and the operator is told why. */
  private acceptFirst(data: Buffer): boolean {
    const { rejectionWarnings } = this.context;
    if (data[0] === TLS_HANDSHAKE && (data.length === 1 || data[1] === TLS_MAJOR)) {
      rejectionWarnings.refuseConnection('tlsToPlain', this.peer.address);
      this.socket.destroy();
      return false;
    }
    if (beginsWithProxyHeader(data)) rejectionWarnings.explainConnection('proxyHeader', this.peer.address);
    return true;
  }

  private processChunk(): void {
    const { socket, scanner, receiver } = this;
    const { router } = this.options;
    const reached = this.takeFrames();
    if (reached !== 'all') {
      this.isWaiting = true;
      socket.pause();
      this.context.connections.addPending(reached === 'lookup' ? this.loadTokenAndGoOn() : this.goOnInTurn());
      return;
    }
    this.finishChunk();
    if (this.chunk !== NOTHING) detachBuffer(this.chunk);
    if (scanner.patience === Patience.ended) return;
    scanner.patience = Patience.wait;
    if (this.hasEnded) this.takeRest(Patience.ended);
    else if (router.congested) {
      socket.pause();
      router.whenUncongested(() => socket.resume());
    } else if (receiver.heldUp?.whenReleased) {
      socket.pause();
      receiver.heldUp.whenReleased(() => socket.resume());
    }
  }

  /** Takes frame after frame, until all are taken, a token has to be looked up first, or it is the others' turn. */
  private takeFrames(): 'all' | 'lookup' | 'turn' {
    const { scanner, receiver, bytes } = this;
    for (let left = FRAMES_A_TURN; left > 0; left--) {
      if (scanner.oversizedCount > this.countedOversized) this.countOversized();
      const { framing } = scanner;
      if (framing !== undefined) scanner.advanceTo(receiver.takeFastPath(bytes, scanner.pos, framing));
      const frame = scanner.next();
      if (frame === FrameStatus.partial) return 'all';
      if (
        frame === FrameStatus.complete &&
        receiver.take(bytes, scanner.start, scanner.end) === FrameOutcome.needsTokenLookup
      )
        return 'lookup';
    }
    return 'turn';
  }

  private finishChunk(): void {
    const { scanner, receiver, partialFrame, bytes, chunk } = this;
    const { connectionLimiter } = this.options;
    const { tracked, rejectionWarnings } = this.context;
    const isNewFrame = scanner.pos > 0;
    receiver.flushInBackground();
    if (chunk.length >= DETACHED_BYTES_MIN) receiver.letGoOfBytes();
    else if (bytes !== chunk) receiver.letGoOfCopy(bytes, chunk, bytes.length - chunk.length);
    partialFrame.keepFrom(bytes, scanner.pos);
    this.countFramingErrors();
    if (scanner.patience === Patience.wait || isNewFrame)
      connectionLimiter.onBytes(tracked, partialFrame.size, isNewFrame);
    rejectionWarnings.check();
  }

  /** The last frame was too long. */
  private countOversized(): void {
    this.countedOversized++;
    this.context.counters.oversized++;
    const { lastApp } = this.receiver;
    if (lastApp !== undefined) this.options.oversizeReports.count(lastApp, 1);
  }

  private countFramingErrors(): void {
    const { scanner } = this;
    const { counters } = this.context;
    const resyncs = scanner.resyncCount - this.countedResyncs;
    counters.malformed += scanner.skippedCount - this.countedSkips;
    counters.miscounted += resyncs;
    this.countedSkips = scanner.skippedCount;
    this.countedResyncs = scanner.resyncCount;
    const { lastApp } = this.receiver;
    if (resyncs > 0 && lastApp !== undefined) this.options.miscountReports.count(lastApp, resyncs);
  }

  private async loadTokenAndGoOn(): Promise<void> {
    const { scanner, receiver } = this;
    // Tokens may have been made or revoked again meanwhile.
    do {
      if (!(await loadTokenWithRetry(receiver, this.context.connections))) return;
    } while (receiver.take(this.bytes, scanner.start, scanner.end) === FrameOutcome.needsTokenLookup);
    this.goOn();
  }

  private goOnInTurn(): Promise<void> {
    this.receiver.flushInBackground();
    return new Promise((resolve) => {
      eventLoopBudget.runRest(() => {
        this.goOn();
        resolve();
      });
    });
  }

  private goOn(): void {
    this.isWaiting = false;
    if (!this.hasEnded) this.socket.resume();
    this.processChunk();
  }

  /** Takes what there is of a frame whose rest hasn't come, or won't. */
  private takeRest(patience: Patience): void {
    this.scanner.patience = patience;
    this.chunk = NOTHING;
    this.bytes = this.partialFrame.join(NOTHING); // what was left may have moved
    this.scanner.setInput(this.bytes);
    this.processChunk();
  }
}

/**
 * While the store is unavailable, the sender waits; it isn't rejected.
 * @returns false when the listener was closed meanwhile: of a store that is closed, too, nobody gets an answer, and the process has to end
 */
async function loadTokenWithRetry(receiver: LineReceiver, listener: OpenConnections): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await receiver.loadToken();
      return true;
    } catch {
      if (listener.isOver) return false;
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, TOKEN_RETRY)));
    }
  }
}
