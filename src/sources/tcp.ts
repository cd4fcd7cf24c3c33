/** Lines in over syslog TCP: RFC 5424 lines, octet counted or newline framed (RFC 6587), token in APP-NAME. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Router } from '../router/router.ts';
import { Frame, FrameScanner } from '../syslog/framing.ts';
import { type SourceCounters, sourceCounters } from './counters.ts';
import { Intake, Taken } from './intake.ts';
import { listening, portOf } from './listening.ts';
import { Refusals } from './refusals.ts';
import { Remainder } from './remainder.ts';

export interface SourceOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly router: Router;
  readonly warn: (fields: object, message: string) => void;
}

/** A running listener. */
export interface Source {
  readonly port: number;
  readonly counters: SourceCounters;
  /** Takes no more; what was taken is with the router. */
  close(): Promise<void>;
}

const NOTHING = Buffer.alloc(0);

/**
 * Listens for syslog over TCP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenTcp(options: SourceOptions): Promise<Source> {
  const counters = sourceCounters('tcp');
  const refusals = new Refusals(counters, options.warn);
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, options.router, counters, refusals);
  });
  await listening(server, options, 'syslog (TCP)', 'TAILRACE_SYSLOG_PORT');
  return {
    port: portOf(server),
    counters,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(socket: Socket, router: Router, counters: SourceCounters, refusals: Refusals): void {
  counters.connections++;
  const intake = new Intake(router, counters, socket.remoteAddress ?? 'unknown');
  const scanner = new FrameScanner();
  const remainder = new Remainder();
  let bytes: Buffer = Buffer.alloc(0);
  let broken = 0;
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
    remainder.keep(bytes, scanner.pos);
    intake.entrust();
    counters.malformed += scanner.brokenCount - broken;
    broken = scanner.brokenCount;
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

  socket.on('data', (chunk: Buffer) => {
    bytes = remainder.join(chunk);
    scanner.load(bytes);
    run();
  });
  socket.on('end', () => {
    ended = true;
    if (!asking) takeLast();
  });
  socket.on('error', () => socket.destroy()); // the sender's trouble; what came is taken
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
