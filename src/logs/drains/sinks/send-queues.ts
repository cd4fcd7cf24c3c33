/** What of the bytes that were written to connections the other end's system hasn't acknowledged, as far as Linux shows it (proc_pid_net(5)). */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** The kernel goes through all of its sockets for it: so many times as long as it took nothing is read. */
const REST_FACTOR = 50;
const REST_MIN_MS = 250;
const REST_MAX_MS = 1_000;
/** `0: 0100007F:1F90 0100007F:D431 01 00000000:…`: local and remote address, established, bytes to send. */
const ESTABLISHED = /^ *\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:([\dA-F]{4}) 01 ([\dA-F]{8}):/gm;

type Table = 'tcp' | 'tcp6';

/** Undefined where it can't be read. */
type ReadTable = (table: Table) => Promise<string | undefined>;

interface Question {
  readonly table: Table;
  readonly ports: string;
  readonly onRead: () => void;
  readonly answer: (bytes: number | undefined) => void;
}

/** One for many connections: they share what is read, which takes some milliseconds. */
export class SendQueues {
  private readonly readTable: ReadTable;
  private questions: Question[] = [];
  private isReading = false;

  /** @param readTable gives the sockets of a protocol as `/proc/net` has them */
  constructor(readTable: ReadTable = readProcTable) {
    this.readTable = readTable;
  }

  /**
   * Bytes that the system has of a connection and the other end's hasn't acknowledged; 0 where no system tells, undefined when the
   * connection isn't open any more.
   * @param onRead called just before it is looked at, which may be a second later: what is written behind that isn't in the answer
   */
  queuedBytes(
    { localPort, remotePort, localFamily }: Socket,
    onRead: () => void,
  ): Promise<number | undefined> {
    if (localPort === undefined || remotePort === undefined) return Promise.resolve(undefined);
    const table = localFamily === 'IPv6' ? 'tcp6' : 'tcp';
    return new Promise((answer) => {
      this.questions.push({ table, ports: `${hexPort(localPort)} ${hexPort(remotePort)}`, onRead, answer });
      if (!this.isReading) void this.answerAll();
    });
  }

  private async answerAll(): Promise<void> {
    this.isReading = true;
    // Those who ask in the same turn are answered together.
    await undefined;
    while (this.questions.length > 0) {
      const questions = this.questions.splice(0);
      const beganMs = performance.now();
      for (const table of ['tcp', 'tcp6'] as const)
        await this.answer(
          table,
          questions.filter((one) => one.table === table),
        );
      const restMs = (performance.now() - beganMs) * REST_FACTOR;
      await new Promise((resolve) =>
        setTimeout(resolve, Math.min(Math.max(restMs, REST_MIN_MS), REST_MAX_MS)).unref(),
      );
    }
    this.isReading = false;
  }

  private async answer(table: Table, questions: readonly Question[]): Promise<void> {
    if (questions.length === 0) return;
    for (const { onRead } of questions) onRead();
    const text = await this.readTable(table);
    const wanted = new Set(questions.map(({ ports }) => ports));
    const queued = new Map<string, number>();
    for (const [, local, remote, bytes] of text?.matchAll(ESTABLISHED) ?? []) {
      const ports = `${local} ${remote}`;
      // Of several with the same ports, at other addresses, the one that is furthest behind.
      if (wanted.has(ports)) queued.set(ports, Math.max(queued.get(ports) ?? 0, Number.parseInt(bytes, 16)));
    }
    for (const { ports, answer } of questions) answer(text === undefined ? 0 : queued.get(ports));
  }
}

function readProcTable(table: Table): Promise<string | undefined> {
  return readFile(`/proc/net/${table}`, 'latin1').catch(() => undefined);
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
