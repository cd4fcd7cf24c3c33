/** A destination of a syslog drain: what comes is recorded as soon as it has been read. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Delivery } from '../check/check.ts';
import { numberedIn } from '../senders/numbered.ts';

export class SyslogSink {
  readonly name: string;
  readonly deliveries: Delivery[] = [];
  port = 0;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  constructor(name: string) {
    this.name = name;
  }

  async open(): Promise<this> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket.setEncoding('latin1');
      let rest = '';
      socket.on('data', (text: string) => {
        // A line may come in two pieces: each ends with a newline.
        const end = text.lastIndexOf('\n') + 1;
        if (end > 0) this.record(rest + text.slice(0, end));
        rest = end > 0 ? text.slice(end) : rest + text;
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** All connections end. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve(undefined)));
  }

  private record(text: string): void {
    const atMs = Date.now();
    for (const [sender, number] of numberedIn(text)) this.deliveries.push({ sender, number, atMs });
  }
}
