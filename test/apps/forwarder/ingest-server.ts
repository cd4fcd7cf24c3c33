import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface ReceivedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  /** Each frame without its byte count. */
  frames: Buffer[];
}

/** What is done with the next request: a status to answer, a connection cut before the answer, or an answer whose body doesn't come. */
export type PlannedResponse = number | 'reset' | 'half' | { status: number; after: Promise<unknown> };

/** A router's `POST /logs`, which answers by plan and 204 afterwards. */
export async function startIngestServer(plan: PlannedResponse[] = [], defaultResponse = 204, port = 0) {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    if (!body) return;
    requests.push({
      path: request.url ?? '',
      headers: request.headers,
      frames: framesOf(body),
    });
    const step = plan.shift() ?? defaultResponse;
    if (step === 'reset') return request.socket.resetAndDestroy();
    if (step === 'half') return void response.writeHead(200, { 'content-length': '10' }).write('half');
    if (typeof step === 'object') await step.after;
    response.writeHead(typeof step === 'object' ? step.status : step).end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    /** The text of all messages, after the header, in order of arrival. */
    messages: () => requests.flatMap(({ frames }) => frames.map((frame) => messageOf(frame))),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Undefined when its sender gave up before all of it was there. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  try {
    return await buffer(request);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return undefined;
    throw error;
  }
}

function framesOf(body: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(' ', at);
    const length = Number(body.toString('latin1', at, space));
    if (!Number.isInteger(length) || length === 0) throw new Error(`no frame at ${at}`);
    at = space + 1 + length;
    if (at > body.length) throw new Error('frame cut off');
    frames.push(body.subarray(space + 1, at));
  }
  return frames;
}

function messageOf(frame: Buffer): string {
  const text = frame.toString();
  return text.slice(text.indexOf(' - - ') + 5, -1);
}
