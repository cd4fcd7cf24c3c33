/** Requests at a steady rate: each is sent when it is due, whether the ones before it have a response or not. */
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { nowMs, type RequestSchedule } from './pacer.ts';

/** The first is due when the pacer has started for certain. */
const START_MS = 100;
/** How long responses are waited for at the end. */
const DRAIN_TIMEOUT_MS = 5_000;
/** How often it is checked whether all have a response. */
const POLL_MS = 20;
const OK = Buffer.from('HTTP/1.1 200 ');
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

export interface PacedGetsOptions {
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second, over all connections. */
  readonly rate: number;
}

export interface PacedGetsResult {
  readonly latenciesMs: readonly number[];
  readonly seconds: number;
  /** Requests whose status was not 200, or that got no response. */
  readonly failures: number;
}

interface Connection {
  readonly socket: Socket;
  /** When its request was due; undefined while it has none. */
  dueMs: number | undefined;
  /** What has come of its response. */
  got: Buffer | undefined;
}

/**
 * Sends GETs over connections that are kept alive, one at a time over each. A request's latency counts from when it was
 * due: if no connection was free then, or we were late, that is part of it.
 */
export async function sendPacedGets({
  port,
  host,
  connections,
  seconds,
  rate,
}: PacedGetsOptions): Promise<PacedGetsResult> {
  const text = Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`);
  const latenciesMs: number[] = [];
  const due: number[] = [];
  const free: Connection[] = [];
  let failures = 0;

  const send = (connection: Connection, dueMs: number): void => {
    connection.dueMs = dueMs;
    connection.socket.write(text);
  };
  const take = (connection: Connection, bytes: Buffer): void => {
    const got = connection.got === undefined ? bytes : Buffer.concat([connection.got, bytes]);
    connection.got = got;
    if (connection.dueMs === undefined || !isCompleteResponse(got)) return;
    if (got.compare(OK, 0, OK.length, 0, OK.length) === 0) latenciesMs.push(nowMs() - connection.dueMs);
    else failures++;
    connection.got = undefined;
    connection.dueMs = undefined;
    const next = due.shift();
    if (next === undefined) free.push(connection);
    else send(connection, next);
  };
  const all = await Promise.all(
    Array.from({ length: connections }, async (): Promise<Connection> => {
      const connection = { socket: await connectTcp(port), dueMs: undefined, got: undefined };
      connection.socket.on('data', (bytes) => take(connection, bytes));
      free.push(connection);
      return connection;
    }),
  );

  const count = Math.round(rate * seconds);
  const schedule: RequestSchedule = { startMs: nowMs() + START_MS, rate, count };
  const pacer = new Worker(new URL('pacer.js', import.meta.url), { workerData: schedule });
  pacer.on('message', (dueMs: number) => {
    // Those that have waited longest first, so that every connection is used.
    const connection = free.shift();
    if (connection === undefined) due.push(dueMs);
    else send(connection, dueMs);
  });
  await new Promise<void>((resolve, reject) => {
    pacer.on('error', reject);
    const timer = setInterval(() => {
      const answered = latenciesMs.length + failures;
      const late = nowMs() > schedule.startMs + seconds * 1_000 + DRAIN_TIMEOUT_MS;
      if (answered < count && !late) return;
      failures += count - answered;
      clearInterval(timer);
      resolve();
    }, POLL_MS);
  });
  const took = (nowMs() - schedule.startMs) / 1_000;
  await pacer.terminate();
  for (const { socket } of all) socket.destroy();
  return { latenciesMs, seconds: took, failures };
}

/** Resolves with an open connection. */
function connectTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Is the response complete? All of them have a Content-Length. */
function isCompleteResponse(bytes: Buffer): boolean {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = Number(LENGTH.exec(bytes.toString('latin1', 0, end + 2))?.[1]);
  return bytes.length >= end + 4 + length;
}
