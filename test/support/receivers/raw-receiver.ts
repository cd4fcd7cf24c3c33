/** An HTTP receiver that records the bytes of requests, for drains in other formats than Heroku's. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface RawReceiver {
  readonly origin: string;
  readonly url: string;
  readonly requests: RawRequest[];
}

/** A receiver for one test; `plan` returns the response to each request, by its number from 0. */
export async function startRawReceiver(
  plan: (attempt: number) => {
    status: number;
    body?: string | Buffer;
    headers?: Record<string, string>;
  } = () => ({ status: 200 }),
): Promise<RawReceiver> {
  const requests: RawRequest[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { status, body, headers } = plan(requests.length);
    requests.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(status, headers).end(body);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, url: `${origin}/lines`, requests };
}
