import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { readInSlices } from '../limits/sliced-reading.ts';
import { eventLoopBudget } from '../limits/turns.ts';

/** So many requests of a connection may wait: then nothing more is read of it until half of them have begun. */
const WAITING_MAX = 32;

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The requests of one connection. */
interface Pipeline {
  /** One has begun, and isn't answered, or is about to begin. */
  isBusy: boolean;
  /** Nothing is read of it. */
  isHeld: boolean;
  /** Has begun, and isn't answered. */
  current: Exchange | undefined;
  waiting: Exchange[];
  /** Whose head came last. */
  latest: IncomingMessage | undefined;
}

type Exchange = readonly [IncomingMessage, ServerResponse];

/** What came on a connection before bytes that are no request. */
export interface RequestsBefore {
  /**
   * Calls back when nothing more is answered on a connection than `respond` says: the requests that are there in full are answered first, one that
   * broke off isn't begun any more. A connection in the middle of a response, which nothing can follow, is closed instead.
   */
  afterAnswers(socket: Duplex, respond: () => void): void;
  /** Calls back when what had come until now was read, unless the request that was coming is complete then. */
  unlessCompleted(socket: Duplex, callback: () => void): void;
}

/**
 * Requests that a client sends without waiting for answers (RFC 9112, section 9.3.2) begin one after the other, each in another turn of the
 * event loop: Node.js begins all that are in what was read, some hundred, before anybody else has a turn. First ones of many connections
 * share the turn's budget. To be called when the server has its listener, and nothing else listens for its connections.
 */
export function serializePipelinedRequests(server: Server): RequestsBefore {
  const pipelines = new WeakMap<Duplex, Pipeline>();
  const holds = readInSlices(server);
  const [listener] = server.listeners('request') as RequestListener[];
  server.off('request', listener);

  function beginNext(pipeline: Pipeline, socket: Socket): void {
    // The answer before was the connection's last one: it ends, and these with it.
    if (socket.writableEnded) return;
    const { waiting } = pipeline;
    const next = waiting.shift();
    if (!next) return;
    if (pipeline.isHeld && waiting.length <= WAITING_MAX / 2) {
      pipeline.isHeld = false;
      holds.release(socket);
    }
    const [request, response] = next;
    pipeline.current = next;
    response.once('close', () => {
      pipeline.current = undefined;
      if (waiting.length === 0) pipeline.isBusy = false;
      else setImmediate(() => eventLoopBudget.run(() => beginNext(pipeline, socket)));
    });
    listener.call(server, request, response);
  }

  server.on('request', (request, response) => {
    const { socket } = request;
    let pipeline = pipelines.get(socket);
    if (!pipeline) {
      pipeline = watch(socket);
      pipelines.set(socket, pipeline);
    }
    const { waiting } = pipeline;
    pipeline.latest = request;
    waiting.push([request, response]);
    if (!pipeline.isBusy) {
      pipeline.isBusy = true;
      const idle = pipeline;
      eventLoopBudget.run(() => beginNext(idle, socket));
    } else if (waiting.length >= WAITING_MAX && !pipeline.isHeld) {
      pipeline.isHeld = true;
      holds.hold(socket);
    }
  });

  return {
    afterAnswers(socket, respond) {
      const pipeline = pipelines.get(socket);
      const { current, waiting = [] } = pipeline ?? {};
      if (current?.[1].headersSent && !current[1].writableEnded) {
        socket.destroy();
        return;
      }
      const whole = waiting.filter(([request]) => request.complete);
      if (pipeline) pipeline.waiting = whole;
      const last = whole.at(-1) ?? (current?.[0].complete ? current : undefined);
      if (last) last[1].once('close', respond);
      else respond();
    },
    unlessCompleted(socket, callback) {
      const before = pipelines.get(socket)?.latest;
      const wasComplete = before?.complete;
      const judge = (): void => {
        const latest = pipelines.get(socket)?.latest;
        const isNew = latest !== before || !wasComplete;
        if (!latest?.complete || !isNew) callback();
      };
      const behindReads = (next: () => void): void => void setImmediate(() => holds.whenParsed(socket, next));
      // Twice: it wasn't read while what had come before was parsed.
      behindReads(() => behindReads(judge));
    },
  };
}

function watch(socket: Socket): Pipeline {
  const pipeline: Pipeline = {
    isBusy: false,
    isHeld: false,
    current: undefined,
    waiting: [],
    latest: undefined,
  };
  // Of answers that had not got the connection yet Node.js doesn't say that it is gone.
  socket.once('close', () => {
    for (const [, response] of pipeline.waiting.splice(0)) response.emit('close');
  });
  return pipeline;
}
