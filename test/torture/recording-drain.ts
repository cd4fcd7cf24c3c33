import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RecordedRequest } from './delivery-check.ts';

/** How requests fail: not at all, with status 500, by a reset before they are read, by a reset after they were accepted. */
export type FailureMode = 'none' | 'error' | 'reset' | 'accept-then-reset';

/** The drain: records all requests, and fails as it is told. */
export class RecordingDrain {
  readonly requests: RecordedRequest[] = [];
  failureMode: FailureMode = 'none';
  private server: Server | undefined;
  private port = 0;

  async open(): Promise<void> {
    const server = createServer((request, response) => void this.onRequest(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Stops listening, and cuts connections. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  }

  get isOpen(): boolean {
    return this.server !== undefined;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/drain`;
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.failureMode === 'reset') return void request.socket.resetAndDestroy();
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const messages = messagesOf(Buffer.concat(chunks));
    const { failureMode } = this;
    const accepted = failureMode !== 'error';
    const frameId = String(request.headers['logplex-frame-id']);
    this.requests.push({ frameId, accepted, ...messages });
    // Accepted, but the sender never learns it.
    if (failureMode === 'accept-then-reset') return void request.socket.resetAndDestroy();
    response.writeHead(accepted ? 200 : 500).end();
  }
}

/** The messages of octet-counted lines, and the notice in front of them that the drain lost some. */
function messagesOf(body: Buffer): Pick<RecordedRequest, 'messages' | 'notice'> {
  const messages: string[] = [];
  let notice: string | undefined;
  for (let i = 0; i < body.length; ) {
    const space = body.indexOf(0x20, i);
    const end = space + 1 + Number(body.toString('latin1', i, space));
    // `<PRI>1 TIME HOST SOURCE DYNO MSGID MESSAGE`, as Heroku writes it: without structured data.
    const fields = body
      .toString('utf8', space + 1, end)
      .trimEnd()
      .split(' ');
    const message = fields.slice(6).join(' ');
    // For this drain alone, and not from the app's stream, where all drains get the same.
    if (fields[2].startsWith('d.')) notice = message;
    else messages.push(message);
    i = end;
  }
  return { messages, notice };
}
