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
  { router, rules, rateLimiter, connectionLimiter, miscountReports, oversizeReports }: SyslogListenerOptions,
  { counters, rejectionWarnings, connections, tracked }: ConnectionContext,
): void {
  socket.on('error', () => socket.destroy());
  connectionLimiter.handshakeFinished(tracked);
  counters.connections++;
  const sourceResolver = new SourceResolver(router, rules, peer);
  const receiver = new LineReceiver({
    router,
    counters,
    host: peer.address,
    sourceResolver,
    rateLimiter,
    keepsFollowUps: true,
    isFireAndForget: true,
  });
  const scanner = new FrameScanner();
  const partialFrame = new PartialFrameBuffer();
  let chunk: Buffer = Buffer.alloc(0);
  /** The chunk, with what was left before it. */
  let bytes = chunk;
  let countedSkips = 0;
  let countedResyncs = 0;
  let countedOversized = 0;
  let first = true;
  /** For a token, or for this connection's next turn. */
  let waiting = false;
  let ended = false;

  /** Takes frame after frame, until all are taken, a token has to be looked up first, or it is the others' turn. */
  const takeFrames = (): 'all' | 'lookup' | 'turn' => {
    for (let left = FRAMES_A_TURN; left > 0; left--) {
      if (scanner.oversizedCount > countedOversized) countOversized();
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
  };
  /** The last frame was too long. */
  const countOversized = (): void => {
    countedOversized++;
    counters.oversized++;
    const { lastApp } = receiver;
    if (lastApp !== undefined) oversizeReports.count(lastApp, 1);
  };
  const countFramingErrors = (): void => {
    const resyncs = scanner.resyncCount - countedResyncs;
    counters.malformed += scanner.skippedCount - countedSkips;
    counters.miscounted += resyncs;
    countedSkips = scanner.skippedCount;
    countedResyncs = scanner.resyncCount;
    const { lastApp } = receiver;
    if (resyncs > 0 && lastApp !== undefined) miscountReports.count(lastApp, resyncs);
  };
  const finishChunk = (): void => {
    const isNewFrame = scanner.pos > 0;
    receiver.flushInBackground();
    if (chunk.length >= DETACHED_BYTES_MIN) receiver.letGoOfBytes();
    else if (bytes !== chunk) receiver.letGoOfCopy(bytes, chunk, bytes.length - chunk.length);
    partialFrame.keepFrom(bytes, scanner.pos);
    countFramingErrors();
    if (scanner.patience === Patience.wait || isNewFrame)
      connectionLimiter.onBytes(tracked, partialFrame.size, isNewFrame);
    rejectionWarnings.check();
  };
  const processChunk = (): void => {
    const reached = takeFrames();
    if (reached !== 'all') {
      waiting = true;
      socket.pause();
      connections.addPending(reached === 'lookup' ? loadTokenAndGoOn() : goOnInTurn());
      return;
    }
    finishChunk();
    if (chunk !== NOTHING) detachBuffer(chunk);
    if (scanner.patience === Patience.ended) return;
    scanner.patience = Patience.wait;
    if (ended) takeRest(Patience.ended);
    else if (router.congested) {
      socket.pause();
      router.whenUncongested(() => socket.resume());
    } else if (receiver.heldUp?.whenReleased) {
      socket.pause();
      receiver.heldUp.whenReleased(() => socket.resume());
    }
  };
  const loadTokenAndGoOn = async (): Promise<void> => {
    // Tokens may have been made or revoked again meanwhile.
    do {
      if (!(await loadTokenWithRetry(receiver, connections))) return;
    } while (receiver.take(bytes, scanner.start, scanner.end) === FrameOutcome.needsTokenLookup);
    goOn();
  };
  const goOnInTurn = (): Promise<void> => {
    receiver.flushInBackground();
    return new Promise((resolve) => {
      eventLoopBudget.runRest(() => {
        goOn();
        resolve();
      });
    });
  };
  const goOn = (): void => {
    waiting = false;
    if (!ended) socket.resume();
    processChunk();
  };
  /** Takes what there is of a frame whose rest hasn't come, or won't. */
  const takeRest = (patience: Patience): void => {
    scanner.patience = patience;
    chunk = NOTHING;
    bytes = partialFrame.join(chunk); // what was left may have moved
    scanner.setInput(bytes);
    processChunk();
  };
  const end = (): void => {
    if (ended) return;
    ended = true;
    if (!waiting) takeRest(Patience.ended);
  };
  // Its rest waits in the system while this server doesn't read it.
  tracked.onStalled = () => {
    if (!ended && !waiting && !socket.isPaused()) takeRest(Patience.stalled);
  };
  tracked.onEnding = end;

  socket.on('data', (data: Buffer) => {
    chunk = data;
    if (first && chunk[0] === TLS_HANDSHAKE && (chunk.length === 1 || chunk[1] === TLS_MAJOR)) {
      rejectionWarnings.refuseConnection('tlsToPlain', peer.address);
      socket.destroy();
      return;
    }
    if (first && beginsWithProxyHeader(chunk))
      rejectionWarnings.explainConnection('proxyHeader', peer.address);
    first = false;
    bytes = partialFrame.join(chunk);
    scanner.setInput(bytes);
    processChunk();
  });
  socket.on('end', end);
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
