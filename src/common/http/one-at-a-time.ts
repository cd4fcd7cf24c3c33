import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { eventLoopBudget } from '../limits/turns.ts';

/** So many requests of a connection may wait: then nothing more is read of it until half of them have begun. */
const WAITING_MAX = 32;

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The requests of one connection. */
interface Pipeline {
  /** One has begun, and isn't answered. */
  isBusy: boolean;
  readonly waiting: [IncomingMessage, ServerResponse][];
}

/**
 * Requests that a client sends without waiting for answers (RFC 9112, section 9.3.2) begin one after the other, each in another turn of the
 * event loop: Node.js begins all that are in what was read, some hundred, before anybody else has a turn. To be called when the server has
 * its listener.
 */
export function beginOneAtATime(server: Server): void {
  const pipelines = new WeakMap<Socket, Pipeline>();
  const [listener] = server.listeners('request') as RequestListener[];
  server.off('request', listener);

  function begin(pipeline: Pipeline, request: IncomingMessage, response: ServerResponse): void {
    pipeline.isBusy = true;
    response.once('close', () => {
      if (pipeline.waiting.length === 0) pipeline.isBusy = false;
      else setImmediate(() => eventLoopBudget.run(() => beginNext(pipeline, request.socket)));
    });
    listener.call(server, request, response);
  }

  function beginNext(pipeline: Pipeline, socket: Socket): void {
    // The answer before was the connection's last one: it ends, and these with it.
    if (socket.writableEnded) return;
    const next = pipeline.waiting.shift();
    if (!next) return;
    if (pipeline.waiting.length === WAITING_MAX / 2) socket.resume();
    begin(pipeline, ...next);
  }

  server.on('request', (request, response) => {
    const { socket } = request;
    let pipeline = pipelines.get(socket);
    if (!pipeline) {
      pipeline = { isBusy: false, waiting: [] };
      pipelines.set(socket, pipeline);
    }
    if (!pipeline.isBusy) {
      begin(pipeline, request, response);
      return;
    }
    const { waiting } = pipeline;
    waiting.push([request, response]);
    if (waiting.length === 1) socket.once('close', () => endWaiting(waiting));
    if (waiting.length >= WAITING_MAX) socket.pause();
  });
}

/** The connection is gone: of answers that had not got it yet Node.js doesn't say so. */
function endWaiting(waiting: Pipeline['waiting']): void {
  for (const [, response] of waiting.splice(0)) response.emit('close');
}
