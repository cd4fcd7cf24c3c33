/** One connection of a sender, over TCP or TLS: its bytes are cut into frames, which the intake takes. */
import type { Socket } from 'node:net';
import { release } from '../../../common/release.ts';
import { type Certificate, plainAddress } from '../../router/rules.ts';
import { Frame, FrameScanner } from '../../syslog/framing.ts';
import type { SourceCounters } from '../counters.ts';
import { Guarded } from '../guard.ts';
import { Identity } from '../identity.ts';
import { Intake, Taken } from '../intake.ts';
import type { Refusals } from '../refusals.ts';
import type { SourceOptions } from '../source.ts';
import { Remainder } from './remainder.ts';

const NOTHING = Buffer.alloc(0);
/** A TLS handshake's record: content type 22, version 3.x (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;

/** Who is at the other end. */
export interface Peer {
  readonly address: string;
  /** Our port. */
  readonly port: number;
  readonly certificate?: Certificate;
}

/** Puts a connection under guard as soon as it is there; undefined when there are too many: then it is closed. */
export function guardConnection(
  socket: Socket,
  { guard }: SourceOptions,
  counters: SourceCounters,
): Guarded | undefined {
  const guarded = new Guarded(plainAddress(socket.remoteAddress ?? 'unknown'), counters, () =>
    socket.destroy(),
  );
  socket.on('error', () => socket.destroy()); // the sender's trouble; what came is taken
  if (!guard.enter(guarded)) {
    socket.destroy();
    return undefined;
  }
  socket.on('close', () => guard.leave(guarded));
  return guarded;
}

/** Takes lines from a connection until it ends. */
export function serveConnection(
  socket: Socket,
  peer: Peer,
  { router, rules, limits, guard, warn }: SourceOptions,
  counters: SourceCounters,
  refusals: Refusals,
  guarded: Guarded,
): void {
  socket.on('error', () => socket.destroy());
  guard.opened(guarded);
  counters.connections++;
  const identity = new Identity(router, rules, peer);
  const intake = new Intake({ router, counters, host: peer.address, identity, limits });
  const scanner = new FrameScanner();
  const remainder = new Remainder();
  let chunk: Buffer = Buffer.alloc(0);
  /** The chunk, with what was left before it. */
  let bytes = chunk;
  let broken = 0;
  let first = true;
  let asking = false;
  let ended = false;

  /** Takes frame after frame; false when a token has to be asked for first. */
  const takeFrames = (): boolean => {
    for (;;) {
      if (scanner.atFrame) scanner.pos = intake.takeUsual(bytes, scanner.pos);
      const frame = scanner.next();
      if (frame === Frame.partial) return true;
      if (frame === Frame.whole && intake.take(bytes, scanner.start, scanner.end) === Taken.ask) return false;
    }
  };
  const settle = (): void => {
    const isNewFrame = scanner.pos > 0;
    remainder.keep(bytes, scanner.pos);
    intake.entrust();
    counters.malformed += scanner.brokenCount - broken;
    broken = scanner.brokenCount;
    guard.heard(guarded, remainder.size, isNewFrame);
    refusals.check();
  };
  const run = (): void => {
    if (!takeFrames()) {
      asking = true;
      socket.pause();
      void askAndGoOn();
      return;
    }
    settle();
    release(chunk);
    if (ended) takeLast();
    else if (router.congested) {
      socket.pause();
      router.whenRelieved(() => socket.resume());
    }
  };
  const askAndGoOn = async (): Promise<void> => {
    await loadUntilAnswered(intake);
    asking = false;
    intake.take(bytes, scanner.start, scanner.end);
    if (!ended) socket.resume();
    run();
  };
  /** The connection has ended: a last line may stand there without its newline. */
  const takeLast = (): void => {
    bytes = remainder.join(NOTHING); // what was left may have moved
    scanner.load(bytes);
    if (!scanner.rest()) return;
    const counted = bytes[scanner.start] >= 0x31 && bytes[scanner.start] <= 0x39;
    if (counted) counters.malformed++;
    else if (intake.take(bytes, scanner.start, scanner.end) === Taken.ask) {
      void loadUntilAnswered(intake).then(() => {
        intake.take(bytes, scanner.start, scanner.end);
        intake.entrust();
      });
      return;
    }
    intake.entrust();
    refusals.check();
  };

  socket.on('data', (come: Buffer) => {
    chunk = come;
    if (first && chunk[0] === TLS_HANDSHAKE && (chunk.length === 1 || chunk[1] === TLS_MAJOR)) {
      counters.malformed++;
      warn(
        { protocol: counters.protocol, address: peer.address },
        'a sender speaks TLS to the port for plain syslog: give it the TLS port (TAILRACE_SYSLOG_TLS_PORT)',
      );
      socket.destroy();
      return;
    }
    first = false;
    bytes = remainder.join(chunk);
    scanner.load(bytes);
    run();
  });
  socket.on('end', () => {
    ended = true;
    if (!asking) takeLast();
  });
}

/** The store may be away: the sender waits, it is not turned away. */
async function loadUntilAnswered(intake: Intake): Promise<void> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    try {
      return await intake.load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
