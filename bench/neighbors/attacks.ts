/**
 * What somebody without a key, or with a reader's, does to a server all day: connections that say nothing or never end, guesses, readers who
 * don't read. Each is bounded in number, and ends when it is stopped.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { BenchServer } from '../rig/bench-server.ts';
import {
  AGAIN_MS,
  type Attack,
  type AttackTarget,
  flood,
  httpPort,
  keepOpen,
  openSink,
  type RunningAttack,
  repeat,
  TURN_MS,
} from './attack-tools.ts';
import { PIECE_ATTACKS } from './piece-attacks.ts';
import { READER_ATTACKS } from './reader-attacks.ts';
import { RECEIVER_ATTACKS } from './receiver-attacks.ts';
import { TLS_ATTACKS } from './tls-attacks.ts';

const SILENT_CONNECTIONS = 4_000;
const SLOW_CONNECTIONS = 1_000;
const SLOW_MS = 1_000;
const GUESSES_A_TURN = 50;
const DEAF_TAILS = 1_000;
const FLOOD_SOCKETS = 20;

/** Connections that are opened again when they are closed. @param first bytes that each begins with, @param next what follows, byte by byte */
function holdConnections(port: number, count: number, first: string, next = ''): RunningAttack {
  return keepOpen(
    count,
    () => {
      let at = 0;
      const socket = connect(port, '127.0.0.1', () => socket.write(first));
      const trickle =
        next === '' ? undefined : setInterval(() => socket.write(next[at++ % next.length]), SLOW_MS);
      return socket.on('close', () => clearInterval(trickle)).resume();
    },
    (open) => setTimeout(open, AGAIN_MS).unref(),
  );
}

/** Requests over kept connections, whose answers nobody looks at. */
function repeatRequests(port: number, request: (number: number) => string): RunningAttack {
  const sockets = Array.from({ length: 10 }, () => openSink(port));
  let number = 0;
  return repeat(
    (round) => {
      const socket = sockets[round % sockets.length];
      if (socket.writableNeedDrain) return 0;
      socket.write(Array.from({ length: GUESSES_A_TURN }, () => request(number++)).join(''));
      return GUESSES_A_TURN;
    },
    () => {
      for (const socket of sockets) socket.destroy();
    },
  );
}

/** The same text over five connections, `times` in each write. */
const floodText = (port: number, text: string, times: number): RunningAttack =>
  flood(port, { bytes: Buffer.from(text.repeat(times)), units: times, connections: 5 });

const guess = (number: number): string =>
  `t.${number.toString(16).padStart(8, '0')}-0000-4000-8000-${(number * 7).toString(16).padStart(12, '0')}`;
const guessedLine = (number: number): string =>
  `<13>1 2026-01-01T00:00:00Z host ${guess(number)} web.1 - - a guess`;

/** Tails of the loud app that are opened and not read. */
async function deafTails(server: AttackTarget): Promise<RunningAttack> {
  const sockets = Array.from({ length: DEAF_TAILS }, (_, i) => {
    const socket = connect(httpPort(server), '127.0.0.1');
    const accept = i % 2 === 0 ? 'text/event-stream' : 'text/plain';
    socket.on('error', () => undefined).pause();
    socket.write(
      `GET /apps/${server.loudApp}/logs?tail=true HTTP/1.1\r\nHost: h\r\nAccept: ${accept}\r\nAuthorization: Bearer ${server.key}\r\n\r\n`,
    );
    return socket;
  });
  return {
    count: () => sockets.length,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Tails whose clients send frame after frame. */
async function frameFloods(server: AttackTarget): Promise<RunningAttack> {
  let count = 0;
  let isOver = false;
  const sockets = new Set<WebSocket>();
  const open = (): void => {
    if (isOver) return;
    const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/apps/${server.loudApp}/tail?lines=0`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    sockets.add(socket);
    const timer = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > 100_000) return;
      for (let i = 0; i < GUESSES_A_TURN; i++) socket.ping('x'.repeat(100));
      count += GUESSES_A_TURN;
    }, TURN_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      sockets.delete(socket);
      setTimeout(open, AGAIN_MS).unref();
    });
  };
  for (let i = 0; i < FLOOD_SOCKETS; i++) open();
  return {
    count: () => count,
    stop: async () => {
      isOver = true;
      for (const socket of sockets) socket.terminate();
    },
  };
}

const HEAD = 'GET / HTTP/1.1\r\nHost: a.localhost\r\nX-Slow: ';

const OTHERS: readonly Attack[] = [
  {
    name: 'connections to HTTP that say nothing',
    unit: 'connections',
    start: async (server) => holdConnections(httpPort(server), SILENT_CONNECTIONS, ''),
  },
  {
    name: 'connections to syslog that say nothing',
    unit: 'connections',
    start: async (server) => holdConnections(server.syslogPort, SILENT_CONNECTIONS, ''),
  },
  {
    name: 'connections to the HTTP router that say nothing',
    unit: 'connections',
    start: async (server) => holdConnections(server.routerPort, SILENT_CONNECTIONS, ''),
  },
  {
    name: 'HTTP heads, a byte a second',
    unit: 'connections',
    start: async (server) => holdConnections(httpPort(server), SLOW_CONNECTIONS, HEAD, 'x'),
  },
  {
    name: 'HTTP bodies, a byte a second',
    unit: 'connections',
    start: async (server) =>
      holdConnections(
        httpPort(server),
        SLOW_CONNECTIONS,
        `POST /logs HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ${Buffer.from(`token:${guess(1)}`).toString('base64')}\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n`,
        'x',
      ),
  },
  {
    name: 'heads at the HTTP router, a byte a second',
    unit: 'connections',
    start: async (server) => holdConnections(server.routerPort, SLOW_CONNECTIONS, HEAD, 'x'),
  },
  {
    name: 'syslog frames, a byte a second',
    unit: 'connections',
    start: async (server) => holdConnections(server.syslogPort, SLOW_CONNECTIONS, '100000 <13>1 ', 'x'),
  },
  {
    name: 'tokens guessed over syslog',
    unit: 'guesses',
    start: async (server) => {
      const socket = openSink(server.syslogPort);
      let number = 0;
      return repeat(
        () => {
          if (socket.writableNeedDrain) return 0;
          const lines = Array.from({ length: GUESSES_A_TURN }, () => guessedLine(number++));
          socket.write(lines.map((line) => `${line.length} ${line}`).join(''));
          return GUESSES_A_TURN;
        },
        () => socket.destroy(),
      );
    },
  },
  {
    name: 'tokens guessed in datagrams',
    unit: 'guesses',
    start: async (server) => {
      const socket = createSocket('udp4');
      let number = 0;
      return repeat(
        () => {
          for (let i = 0; i < GUESSES_A_TURN; i++)
            socket.send(guessedLine(number++), server.syslogPort, '127.0.0.1');
          return GUESSES_A_TURN;
        },
        () => socket.close(),
      );
    },
  },
  {
    name: 'tokens guessed with POST /logs',
    unit: 'guesses',
    start: async (server) =>
      repeatRequests(
        httpPort(server),
        (number) =>
          `POST /logs HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ${Buffer.from(`token:${guess(number)}`).toString('base64')}\r\nContent-Type: application/logplex-1\r\nContent-Length: 0\r\n\r\n`,
      ),
  },
  {
    name: 'API keys guessed',
    unit: 'guesses',
    start: async (server) =>
      repeatRequests(
        httpPort(server),
        (number) => `GET /apps HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k.${guess(number)}\r\n\r\n`,
      ),
  },
  {
    name: 'passwords guessed',
    unit: 'guesses',
    start: async (server) =>
      repeatRequests(
        httpPort(server),
        (number) =>
          `GET /apps HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ${Buffer.from(`a${number}@example.com:guess`).toString('base64')}\r\n\r\n`,
      ),
  },
  {
    name: 'one wrong token over syslog, again and again',
    unit: 'lines',
    start: async (server) => {
      const line = guessedLine(1);
      return floodText(server.syslogPort, `${line.length} ${line}`, 500);
    },
  },
  {
    name: 'syslog frames that are none',
    unit: 'frames',
    start: async (server) => floodText(server.syslogPort, '1 x', 5_000),
  },
  {
    name: 'datagrams of a byte',
    unit: 'datagrams',
    start: async (server) => {
      const socket = createSocket('udp4');
      return repeat(
        () => {
          for (let i = 0; i < GUESSES_A_TURN; i++) socket.send('x', server.syslogPort, '127.0.0.1');
          return GUESSES_A_TURN;
        },
        () => socket.close(),
      );
    },
  },
  {
    name: 'requests without a key, hundreds at once',
    unit: 'requests',
    start: async (server) => floodText(httpPort(server), 'GET /apps HTTP/1.1\r\nHost: h\r\n\r\n', 400),
  },
  {
    name: 'requests for no app at the HTTP router, hundreds at once',
    unit: 'requests',
    start: async (server) =>
      floodText(server.routerPort, 'GET / HTTP/1.1\r\nHost: none.localhost\r\n\r\n', 400),
  },
  { name: 'tails of a loud app that nobody reads', unit: 'tails', start: deafTails },
  { name: 'tails whose clients send frames', unit: 'frames', start: frameFloods },
];

/** All of them. */
export const ATTACKS: readonly Attack[] = [
  ...OTHERS,
  ...PIECE_ATTACKS,
  ...READER_ATTACKS,
  ...RECEIVER_ATTACKS,
  ...TLS_ATTACKS,
];

/** Lines for the loud app, until it is stopped. @returns how to stop it */
export function sendNoisyLines(server: BenchServer, token: string, linesPerS: number): () => Promise<void> {
  const socket = openSink(server.syslogPort);
  const line = `<13>1 2026-01-01T00:00:00Z host ${token} web.1 - - ${'loud '.repeat(20)}`;
  const frames = Buffer.from(`${line.length} ${line}`.repeat(Math.ceil((linesPerS * TURN_MS) / 1_000)));
  const timer = setInterval(() => {
    if (!socket.writableNeedDrain) socket.write(frames);
  }, TURN_MS);
  return async () => {
    clearInterval(timer);
    socket.destroy();
    await sleep(TURN_MS);
  };
}
