/** A destination of an HTTP drain that records what it accepts, and fails as it is told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Delivery } from '../check/check.ts';
import { numberedIn } from '../senders/numbered.ts';

/** Not at all; with status 500 or 503; by a reset before it is read; by a reset after it was accepted; by no answer. */
export const SINK_TROUBLES = ['error', 'busy', 'reset', 'accept-then-reset', 'hang'] as const;
export type SinkTrouble = (typeof SINK_TROUBLES)[number];

export class HttpSink {
  readonly name: string;
  readonly deliveries: Delivery[] = [];
  /** Frame ids with the lines that they had: the same name has to be the same request. */
  readonly violations: string[] = [];
  trouble: SinkTrouble | 'none' = 'none';
  port = 0;
  private readonly linesByFrame = new Map<string, string>();
  private server: Server | undefined;

  constructor(name: string) {
    this.name = name;
  }

  async open(): Promise<this> {
    const server = createServer((request, response) => void this.onRequest(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve(undefined)));
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.trouble === 'reset') return void request.socket.resetAndDestroy();
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const { trouble } = this;
    if (trouble === 'error' || trouble === 'busy')
      return void response.writeHead(trouble === 'error' ? 500 : 503, { 'retry-after': '1' }).end();
    const bytes = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    const lines = numberedIn(body.toString('latin1'));
    const atMs = Date.now();
    for (const [sender, number] of lines) this.deliveries.push({ sender, number, atMs });
    this.compare(request.headers['logplex-frame-id'], lines.join());
    if (trouble === 'hang') return;
    if (trouble === 'accept-then-reset') return void request.socket.resetAndDestroy();
    const isBulk = request.url?.includes('_bulk');
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(isBulk ? '{"took":1,"errors":false,"items":[]}' : '{}');
  }

  private compare(frameId: string | string[] | undefined, lines: string): void {
    if (typeof frameId !== 'string') return;
    const before = this.linesByFrame.get(frameId);
    if (before !== undefined && before !== lines)
      this.violations.push(`${this.name}: frame ${frameId} came with other lines`);
    this.linesByFrame.set(frameId, lines);
  }
}
