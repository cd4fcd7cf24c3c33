/** What attacks are made of: connections, and work that goes on until it is stopped. */
import { connect, type Socket } from 'node:net';
import type { BenchServer } from '../rig/bench-server.ts';

/** A running attack. */
export interface RunningAttack {
  /** What was done so far, in its unit. */
  readonly count: () => number;
  readonly stop: () => Promise<void>;
}

export interface AttackTarget extends BenchServer {
  readonly routerPort: number;
  /** HTTPS of the API; undefined without a certificate. */
  readonly httpsPort?: number;
  /** An app that somebody else sends lines to, in large numbers, and the token for it. */
  readonly loudApp: string;
  readonly loudToken: string;
}

export interface Attack {
  readonly name: string;
  readonly unit: string;
  readonly start: (server: AttackTarget) => Promise<RunningAttack>;
}

/** Between two rounds of what is repeated. */
export const TURN_MS = 5;
/** Whoever is shut out at once tries again, but not in a circle without a pause. */
export const AGAIN_MS = 1_000;

/** The port of a server's API. */
export const httpPort = ({ url }: BenchServer): number => Number(new URL(url).port);

/** A connection whose answers nobody looks at. */
export function openSink(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  return socket;
}

/** Calls `turn` again and again; each says how many it has done. */
export function repeat(turn: (round: number) => number, end: () => void): RunningAttack {
  let count = 0;
  let round = 0;
  const timer = setInterval(() => {
    count += turn(round++);
  }, TURN_MS);
  return {
    count: () => count,
    stop: async () => {
      clearInterval(timer);
      end();
    },
  };
}

/**
 * So many connections at a time, each opened again when it is closed.
 * @param open opens one, number 0, 1 …
 * @param again calls what it gets when it is time for the next one
 * @param count how much was done so far; left out: connections that were opened
 */
export function keepOpen(
  atOnce: number,
  open: (number: number) => Socket,
  again: (next: () => void) => void,
  count?: () => number,
): RunningAttack {
  const sockets = new Set<Socket>();
  let opened = 0;
  let isOver = false;
  const next = (): void => {
    if (isOver) return;
    const socket = open(opened++);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      again(next);
    });
  };
  for (let i = 0; i < atOnce; i++) next();
  return {
    count: count ?? (() => opened),
    stop: async () => {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

export interface FloodOptions {
  /** What is written again and again. */
  readonly bytes: Buffer;
  /** What it counts for. */
  readonly units: number;
  readonly connections: number;
  /** What each connection begins with. */
  readonly first?: string;
  /** Connections that get something each {@link TURN_MS}; left out: one. */
  readonly atOnce?: number;
}

/** The same bytes over some connections, which are opened again when they are closed. */
export function flood(port: number, options: FloodOptions): RunningAttack {
  const { bytes, units, connections, first = '', atOnce = 1 } = options;
  const sockets: (Socket | undefined)[] = [];
  let isOver = false;
  const open = (place: number): void => {
    if (isOver) return;
    const socket = openSink(port);
    if (first !== '') socket.write(first);
    sockets[place] = socket;
    socket.on('close', () => {
      sockets[place] = undefined;
      setTimeout(() => open(place), AGAIN_MS).unref();
    });
  };
  for (let place = 0; place < connections; place++) open(place);
  return repeat(
    (round) => {
      let done = 0;
      for (let i = 0; i < atOnce; i++) {
        const socket = sockets[(round * atOnce + i) % connections];
        if (!socket || socket.writableNeedDrain) continue;
        socket.write(bytes);
        done += units;
      }
      return done;
    },
    () => {
      isOver = true;
      for (const socket of sockets) socket?.destroy();
    },
  );
}
