/**
 * Sends numbered lines over syslog TCP. Nothing is acknowledged, so that only this is promised: what comes is in order, and comes once; and what
 * was written to a connection of which both ends were well, comes. Each connection is a sender of its own.
 */
import { connect, type Socket } from 'node:net';
import { drained } from './drained.ts';
import { messageOf, pause, SentLines } from './numbered.ts';

const RECONNECT_MS = 300;

export class SyslogSender {
  /** One a connection. */
  readonly sent: SentLines[] = [];
  private readonly name: string;
  private readonly token: string;
  private readonly ports: readonly number[];
  private readonly pauseMaxMs: number;
  private readonly random: () => number;
  private socket: Socket | undefined;
  private isCalm = false;
  private isRunning = true;
  private readonly finished: Promise<void>;

  constructor(
    name: string,
    token: string,
    ports: readonly number[],
    { pauseMaxMs, random }: { pauseMaxMs: number; random: () => number },
  ) {
    this.name = name;
    this.token = token;
    this.ports = ports;
    this.pauseMaxMs = pauseMaxMs;
    this.random = random;
    this.finished = this.run();
  }

  /** From the next connection on, which begins now, all is well: everything has to come. */
  calm(): void {
    this.isCalm = true;
    this.socket?.destroy();
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    await this.finished;
  }

  private async run(): Promise<void> {
    while (this.isRunning) {
      const { isCalm } = this;
      const lines = new SentLines(`${this.name}.${this.sent.length + 1}`);
      this.sent.push(lines);
      const socket = connect({
        port: this.ports[Math.floor(this.random() * this.ports.length)],
        host: '127.0.0.1',
      });
      this.socket = socket;
      let isOpen = true;
      socket.on('error', () => {});
      // The other side has ended it: what is written now would be lost.
      for (const event of ['end', 'close']) socket.on(event, () => (isOpen = false));
      socket.resume();
      while (isOpen && this.isRunning && this.isCalm === isCalm) {
        const numbers = lines.take(1 + Math.floor(this.random() * 10));
        const frames = numbers
          .map(
            (number) =>
              `<190>1 ${new Date().toISOString()} host ${this.token} web.2 - - ${messageOf(lines.name, number)}`,
          )
          .map((line) => `${Buffer.byteLength(line)} ${line}`);
        if (!socket.write(frames.join(''))) await Promise.race([drained(socket), pause(2_000)]);
        if (isCalm) lines.acknowledge(numbers);
        await pause(this.random() * this.pauseMaxMs);
      }
      if (isCalm && !this.isRunning) socket.end();
      else socket.destroy();
      if (this.isRunning) await pause(RECONNECT_MS);
    }
  }
}
