/** A reader of the stream that connects again where it was: over a WebSocket, or by server-sent events. */
import { WebSocket } from 'ws';
import type { Delivery } from '../check/check.ts';
import { numberedIn, pause } from '../senders/numbered.ts';

const RECONNECT_MS = 300;
/** A server that says nothing for so long is gone: it sends a sign of life every 15 to 20 seconds. */
const SILENCE_MS = 30_000;
/** A notice that the stream doesn't reach the position, in a failover that loses its end: it moves nobody. */
const FOREIGN = /^Position \d+ isn't of this stream/;
const LOST = /Error L11 .* dropped (\d+) messages/;

export type TailWay = 'websocket' | 'events';

export class Tail {
  readonly name: string;
  readonly deliveries: Delivery[] = [];
  lost = 0;
  readonly violations: string[] = [];
  private after = '0';
  private readonly way: TailWay;
  private readonly endpoints: readonly string[];
  private readonly path: string;
  private readonly key: string;
  private readonly random: () => number;
  private isRunning = true;
  private disconnect: () => void = () => {};
  private readonly finished: Promise<void>;

  constructor(
    way: TailWay,
    endpoints: readonly string[],
    { app, key, random }: { app: string; key: string; random: () => number },
  ) {
    this.name = `tail by ${way}`;
    this.way = way;
    this.endpoints = endpoints;
    this.path = `/apps/${app}/${way === 'websocket' ? 'tail' : 'logs'}?tail=true&format=json`;
    this.key = key;
    this.random = random;
    this.finished = this.run();
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    this.disconnect();
    await this.finished;
  }

  private async run(): Promise<void> {
    while (this.isRunning) {
      const endpoint = this.endpoints[Math.floor(this.random() * this.endpoints.length)];
      const url = `${endpoint}${this.path}&after=${this.after}`;
      await (this.way === 'websocket' ? this.readSocket(url) : this.readEvents(url)).catch(() => {});
      if (this.isRunning) await pause(RECONNECT_MS);
    }
  }

  private async readSocket(url: string): Promise<void> {
    const socket = new WebSocket(url.replace('http', 'ws'), {
      headers: { authorization: `Bearer ${this.key}` },
    });
    const watch = new Silence(() => socket.terminate());
    this.disconnect = () => socket.terminate();
    socket.on('message', (data) => {
      watch.heard();
      const { position, lines } = JSON.parse(String(data)) as {
        position?: string;
        lines?: { message: string }[];
      };
      for (const { message } of lines ?? []) this.record(message);
      const isMoved = lines?.some(({ message }) => !FOREIGN.test(message));
      if (position !== undefined && isMoved) this.moveTo(position);
    });
    socket.on('ping', () => watch.heard());
    await new Promise<void>((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
    watch.end();
  }

  private async readEvents(url: string): Promise<void> {
    const abort = new AbortController();
    this.disconnect = () => abort.abort();
    const watch = new Silence(() => abort.abort());
    try {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${this.key}`, accept: 'text/event-stream' },
        signal: abort.signal,
      });
      if (!response.ok) return;
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        watch.heard();
        const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          const rows = event.split('\n');
          const data = rows.filter((row) => row.startsWith('data: '));
          const messages = data.map((row) => (JSON.parse(row.slice(6)) as { message: string }).message);
          for (const message of messages) this.record(message);
          const id = rows.find((row) => row.startsWith('id: '))?.slice(4);
          if (id !== undefined && messages.some((message) => !FOREIGN.test(message))) this.moveTo(id);
        }
      }
    } finally {
      watch.end();
    }
  }

  private record(message: string): void {
    const [, lost] = LOST.exec(message) ?? [];
    if (lost !== undefined) this.lost += Number(lost);
    const atMs = Date.now();
    for (const [sender, number] of numberedIn(message)) this.deliveries.push({ sender, number, atMs });
  }

  private moveTo(position: string): void {
    if (Number(position) < Number(this.after))
      this.violations.push(`${this.name}: position ${position} came after ${this.after}`);
    this.after = position;
  }
}

class Silence {
  private readonly timer: NodeJS.Timeout;

  constructor(onSilence: () => void) {
    this.timer = setTimeout(onSilence, SILENCE_MS);
  }

  heard(): void {
    this.timer.refresh();
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
